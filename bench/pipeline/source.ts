/** A recorded run to measure with: an archive that is given, or a short run of the tiny preset made here. */
import path from 'node:path';
import { commandIn } from '../azr-command.js';

/** Little batches and a short warm-up: what is measured does not ask how well it learned. */
const SMALL_RUN = [
  'policy.warmUp.steps=200',
  'propose.batch=24',
  'propose.batchByKind={}',
  'schedule.seedingIterations=0',
  'solve.batch=24',
  'evaluation.perBucket=10',
  'evaluation.every=100',
];

/** @returns the folder of a run's archive, in `scratch` where the run is made here. */
export async function archiveOf(
  given: string | undefined,
  scratch: string,
  iterations: number,
): Promise<string> {
  if (given !== undefined) return given;
  const azr = commandIn(path.join(scratch, 'run'));
  const folder = path.join(scratch, 'archive');
  const settings = SMALL_RUN.flatMap((setting) => ['--set', setting]);
  process.stderr.write(
    `a run of ${iterations} iterations is made first; --archive DIR takes one that is there\n`,
  );
  try {
    await azr([
      'run',
      'tiny',
      '--run',
      'source',
      '--iterations',
      String(iterations),
      '--follow',
      ...settings,
    ]);
    await azr(['export', 'log', 'source', folder]);
  } finally {
    await azr(['down']);
  }
  return folder;
}
