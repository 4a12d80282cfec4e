/**
 * npm run bench -- sandbox: one step's verification by an executor of the published kind and by our sandbox, on the same
 * tasks, beside the machine's raw limit of forking. What each way does: published.py, forks.py and ways.ts.
 *
 * The published executor has one worker which the trainer keeps busy with one call after the other; this is what the aims
 * are about. How it would do with as many workers and callers as ours stands beside it.
 */
import { existsSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { findEnvironment } from '../../src/sandbox/environment.js';
import { IsolationUnavailable } from '../../src/sandbox/index.js';
import { integer } from '../integer.js';
import { runBench } from '../run-bench.js';
import { prepareWorkload } from './prepare.js';
import {
  aligned,
  disagreements,
  forkRow,
  markdown,
  stepRows,
  type Report,
  type StepRow,
  type Target,
} from './report.js';
import { ourForks, ourWay, publishedWay, rawForks, type ForkResult, type WayResult } from './ways.js';
import { PHASES, readSeeds, tinyPrograms } from './workload.js';

const USAGE = `npm run bench -- sandbox [options]
  --seeds DIR   folder of *seed_io.jsonl files (default: ../shared/data/seeds where it exists, else the tiny domain)
  --tiny        programs of the tiny domain
  --rounds N    interleaved rounds, medians are shown (default 5)
  --workers N   workers of ours (default 2); the published way has one, as released, and is shown with N besides
  --forks N     children of the fork comparison (default 600)
  --seed N      draws programs and answers (default 1)
  --json        the numbers as JSON
  --markdown    the Markdown version only`;
const DEFAULT_SEEDS = path.join('..', 'shared', 'data', 'seeds');

function readArguments(): ReturnType<typeof parseOptions>['values'] {
  try {
    return parseOptions().values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

function parseOptions() {
  return parseArgs({
    options: {
      seeds: { type: 'string' },
      tiny: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      workers: { type: 'string', default: '2' },
      forks: { type: 'string', default: '600' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

function targetsOf(step: StepRow, ofFork: number): Target[] {
  return [
    {
      name: 'wall time, times faster than published',
      wanted: '>= 3',
      measured: step.faster,
      holds: step.faster >= 3,
    },
    {
      name: 'CPU, share of published',
      wanted: '<= 0.6',
      measured: step.cpuShare,
      holds: step.cpuShare <= 0.6,
    },
    {
      name: 'strict class, share of raw fork + exec',
      wanted: '>= 0.7',
      measured: ofFork,
      holds: ofFork >= 0.7,
    },
  ];
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const rounds = integer('rounds', options.rounds, 1, 100);
  const workers = integer('workers', options.workers, 1, 64);
  const forks = integer('forks', options.forks, workers, 100_000);
  const seed = integer('seed', options.seed, 0, 2 ** 31);
  const found = await findEnvironment();
  if (!found.ok) throw new IsolationUnavailable(`${found.missing} is missing; ${found.remedy}`);
  const { python } = found.environment;
  const folder = options.seeds ?? (existsSync(DEFAULT_SEEDS) ? DEFAULT_SEEDS : undefined);
  const programs = options.tiny || folder === undefined ? tinyPrograms(seed) : await readSeeds(folder);
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);

  const { workload, replaced } = await prepareWorkload(programs, seed, workers);
  tell(`${programs.source}; ${replaced} slow programs left out or replaced; ${rounds} rounds`);
  const pairs = workload.validation
    .filter(({ inputs }) => inputs.length === 1)
    .map(({ code, inputs }) => [code, inputs[0] ?? ''] as const);

  const published: WayResult[] = [];
  const busy: WayResult[] = [];
  const ours: WayResult[] = [];
  const empty: ForkResult[] = [];
  const exec: ForkResult[] = [];
  const strict: (ForkResult & { readonly version: string })[] = [];
  for (let round = 0; round < rounds; round++) {
    published.push(await publishedWay(python, workload, 1));
    if (workers > 1) busy.push(await publishedWay(python, workload, workers));
    ours.push(await ourWay(workload, workers));
    empty.push(await rawForks(python, 'empty', pairs, forks, workers));
    exec.push(await rawForks(python, 'exec', pairs, forks, workers));
    strict.push(await ourForks(pairs, forks, workers));
    tell(`round ${round + 1} of ${rounds}, load ${loadavg()[0]?.toFixed(1)}`);
  }
  const first = [published[0], ours[0]] as [WayResult, WayResult];
  const steps = stepRows(workload, published, ours);
  const shares = strict.map((own, i) => {
    const raw = exec[i] as ForkResult;
    return { wall: own.wall / own.forks, cpu: 0, forks: raw.forks / raw.wall };
  });
  const ofFork = shares.map(({ wall, forks: raw }) => 1 / wall / raw).sort((a, b) => a - b)[rounds >> 1] ?? 0;
  const report: Report = {
    machine: {
      CPython: strict[0]?.version ?? '',
      Node: process.versions.node,
      cores: availableParallelism(),
      workers,
      programs: programs.source,
      rounds,
      'published retries': first[0].retried,
    },
    published: process.env['AZR_REPO'] === undefined ? 'of the published kind' : 'the published class',
    steps,
    busy: busy.length > 0 ? stepRows(workload, busy, ours) : [],
    forks: [
      forkRow('bare template, child leaves at once', empty),
      forkRow('bare template, child runs a program', exec),
      forkRow('ours, strict class', strict),
    ],
    verdicts: PHASES.reduce((sum, phase) => sum + first[1].phases[phase].verdicts.length, 0),
    disagreements: disagreements(workload, ...first),
    targets: targetsOf(steps.at(-1) as StepRow, ofFork),
  };
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else if (options.markdown) console.log(markdown(report));
  else console.log(`${aligned(report)}\n\nMarkdown:\n\n${markdown(report)}`);
  return report.disagreements.length > 0 ? EXIT.differences : EXIT.ok;
}

await runBench(main);
