/** Replay of a run's rewards and advantages, timed against the run. */
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { importRun } from '../../src/archive/import-run.js';
import type { ServiceAddresses } from '../../src/config/addresses.js';
import { readRun } from '../../src/replay/recorded-iteration.js';
import { replay } from '../../src/replay/replay.js';

export interface ReplayTimes {
  readonly iterations: number;
  /** The steps of its iterations, as IterationCompleted has them: no warm-up, no evaluation. */
  readonly runSeconds: number;
  readonly replaySeconds: number;
  readonly times: number;
}

/** @throws Error where the replay differs. */
export async function replayedTimes(
  addresses: ServiceAddresses,
  archive: string,
  dataFolder: string,
): Promise<ReplayTimes> {
  const log = await createEventLog(addresses);
  try {
    const { run } = await importRun(log, { folder: archive, dataFolder });
    const recorded = await readRun(log, run);
    const durations = (recorded?.iterations ?? []).flatMap(({ completed }) =>
      completed === undefined
        ? []
        : Object.values(JSON.parse(completed.durationsJson) as Record<string, number>),
    );
    const runSeconds = durations.reduce((sum, ms) => sum + ms, 0) / 1000;
    const began = performance.now();
    const result = await replay(log, run, {
      checks: ['rewards', 'advantages'],
      sandbox: () =>
        Promise.reject(new Error('rewards with intrinsic terms need a sandbox; take another run')),
    });
    const replaySeconds = (performance.now() - began) / 1000;
    if (result.kind !== 'replayed' || result.report.differences.length > 0)
      throw new Error(`the replay of ${run} does not hold: ${JSON.stringify(result).slice(0, 500)}`);
    const { iterations } = result.report;
    return { iterations, runSeconds, replaySeconds, times: runSeconds / replaySeconds };
  } finally {
    await log.close();
  }
}
