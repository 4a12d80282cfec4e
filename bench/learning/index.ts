/**
 * npm run bench -- learning: does self-play teach the tiny policy anything, and is it the reward that does it?
 *
 * For each seed three real runs on the local stack, from the same warmed-up weights (the second and third are forks of
 * the first at iteration 0):
 *
 *   self-play    the preset as it is
 *   control      the same, but each solver row of a batch gets the reward of another of its role and kind
 *   solver only  the same, but tasks are drawn uniformly from the domain instead of being proposed, as many as give each
 *                kind the samples that it has in self-play (solver-only.ts)
 *
 * Printed: gains in held-out accuracy (last minus first, greedy answers) with Student's 95 % intervals over the seeds, the
 * decline after the peak, samples and wall time. What came of a run is kept beside others' under --results: a bench that was
 * broken off goes on with the runs that are missing, and stacks side by side can share the seeds among them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { commandIn, type Azr } from '../azr-command.js';
import { runBench } from '../run-bench.js';
import { curveOf, declineAfterPeak, gain, SERIES, type Curve, type ScoreRow } from './curves.js';
import { picture } from './picture.js';
import { solverOnly } from './solver-only.js';
import { meanInterval } from './statistics.js';

const USAGE = `npm run bench -- learning [options]
  --seeds N         seeds 1 to N (default 5), or a list, as in 2,4 or 3,
  --preset NAME     default tiny
  --iterations N    of each run (default: the preset's)
  --set KEY=VALUE   override a key in all runs
  --ways LIST       of self-play,control,solver-only (default: all; self-play always runs)
  --data DIR        data folder of the stack (default .azr/bench-learning)
  --results DIR     what came of each run; the table is of all that are there (default .azr/bench-learning-results)
  --picture FILE    where the curves are drawn (default: no picture)
  --json            the numbers as JSON`;

const WAYS = [
  { name: 'self-play', colour: '#0b6e4f', overrides: () => [] },
  { name: 'control', colour: '#c1121f', overrides: () => ['control.permuteSolverRewards=true'] },
  { name: 'solver-only', colour: '#3a6ea5', overrides: solverOnly },
] as const;
type WayName = (typeof WAYS)[number]['name'];

interface RunFacts {
  readonly samples: number;
  readonly seconds: number;
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string', default: '5' },
        preset: { type: 'string', default: 'tiny' },
        iterations: { type: 'string' },
        set: { type: 'string', multiple: true, default: [] },
        ways: { type: 'string', default: WAYS.map(({ name }) => name).join(',') },
        data: { type: 'string', default: path.join('.azr', 'bench-learning') },
        results: { type: 'string', default: path.join('.azr', 'bench-learning-results') },
        picture: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const seeds = seedsOf(options.seeds);
  const wanted = options.ways.split(',');
  for (const name of wanted)
    if (!WAYS.some((way) => way.name === name))
      throw new UsageError(
        `--ways holds ${JSON.stringify(name)}; accepted are ${WAYS.map((way) => way.name).join(', ')}`,
      );
  const ways = WAYS.filter(({ name }) => name === 'self-play' || wanted.includes(name));
  const dataDir = path.resolve(options.data);
  const results = path.resolve(options.results);
  for (const folder of [dataDir, results]) await mkdir(folder, { recursive: true });
  const nameOf = (way: WayName, seed: number): string => `learning-${options.preset}-${way}-${seed}`;
  const missing: { way: (typeof WAYS)[number]; seed: number }[] = [];
  // All of self-play first: what is broken off has the main result, and the others fork from it.
  for (const way of ways)
    for (const seed of seeds)
      if ((await resultOf(results, nameOf(way.name, seed))) === undefined) missing.push({ way, seed });
  if (missing.length > 0) {
    const azr = commandIn(dataDir);
    const { config } = await resolveRunConfig(options.preset, options.set);
    await azr(['up']);
    try {
      for (const { way, seed } of missing) {
        const runId = nameOf(way.name, seed);
        const set = [...options.set, ...way.overrides(config)].flatMap((text) => ['--set', text]);
        const begin =
          way.name === 'self-play'
            ? ['run', options.preset, '--seed', String(seed), ...iterationsOf(options.iterations)]
            : ['fork', `${nameOf('self-play', seed)}@0`];
        const status = await statusOf(azr, runId);
        const began = Date.now();
        if (status === undefined) await azr([...begin, '--run', runId, ...set, '--follow']);
        else if (status !== 'completed') await azr(['resume', runId, '--follow']);
        const wall = status === undefined ? (Date.now() - began) / 1000 : null;
        const facts = await factsOf(azr, runId);
        const result: Result = {
          way: way.name,
          seed,
          facts,
          wall,
          curve: curveOf(await scoresOf(azr, runId), runId),
        };
        await writeFile(path.join(results, `${runId}.json`), JSON.stringify(result));
        if (!options.json)
          console.log(
            `${runId}: ${SERIES.map((s) => `${s} ${signed(gain(result.curve, s))}`).join(', ')} (${facts.samples} samples, ${facts.seconds.toFixed(0)} s)`,
          );
      }
    } finally {
      await azr(['down']);
    }
  }
  const all: { name: WayName; colour: string; results: Result[]; curves: Curve[] }[] = [];
  for (const { name, colour } of ways) {
    const found = await Promise.all(
      Array.from({ length: MOST_SEEDS }, (_, i) => resultOf(results, nameOf(name, i + 1))),
    );
    const known = found.filter((result) => result !== undefined);
    if (known.length > 0) all.push({ name, colour, results: known, curves: known.map(({ curve }) => curve) });
  }
  if (options.picture !== undefined)
    await writeFile(
      options.picture,
      picture(
        `Held-out accuracy in %, mean and range; seeds: ${all.map((way) => `${way.name} ${way.results.length}`).join(', ')}`,
        all,
      ),
    );
  if (options.json) console.log(JSON.stringify(all.flatMap((way) => way.results)));
  else report(all);
  return EXIT.ok;
}

/** What Student's quantiles are tabled for (statistics.ts). */
const MOST_SEEDS = 11;

function seedsOf(text: string): number[] {
  const seeds = text.includes(',')
    ? [...new Set(text.split(',').filter((part) => part !== ''))].map(Number)
    : Array.from({ length: /^\d{1,2}$/.test(text) ? Number(text) : 0 }, (_, i) => i + 1);
  if (seeds.length > 0 && seeds.every((seed) => Number.isInteger(seed) && seed >= 1 && seed <= MOST_SEEDS))
    return seeds;
  throw new UsageError(
    `--seeds is ${text}; accepted are integers from 1 to ${MOST_SEEDS}, or a list of them, as in 2,4`,
  );
}

const iterationsOf = (text: string | undefined): string[] =>
  text === undefined ? [] : ['--iterations', text];

/** What came of a run: kept as JSON. */
interface Result {
  readonly way: WayName;
  readonly seed: number;
  readonly facts: RunFacts;
  /** Seconds from the order to the summary, the warm-up of self-play included; null where the run was resumed. */
  readonly wall: number | null;
  readonly curve: Curve;
}

async function resultOf(folder: string, runId: string): Promise<Result | undefined> {
  const text = await readFile(path.join(folder, `${runId}.json`), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Result);
}

async function statusOf(azr: Azr, runId: string): Promise<string | undefined> {
  const runs = JSON.parse(await azr(['runs', '--json'])) as { run: string; status: string }[];
  return runs.find(({ run }) => run === runId)?.status;
}

async function query<T>(azr: Azr, sql: string): Promise<T[]> {
  return JSON.parse(await azr(['sql', sql, '--format', 'json'])) as T[];
}

async function scoresOf(azr: Azr, runId: string): Promise<ScoreRow[]> {
  return query<ScoreRow>(
    azr,
    `select run_id, toUInt32(iteration) as iteration, kind, bucket, toUInt32(count) as count, toUInt32(correct) as correct
     from evaluations where run_id = '${runId}'`,
  );
}

async function factsOf(azr: Azr, runId: string): Promise<RunFacts> {
  const [row] = await query<RunFacts>(
    azr,
    `select toUInt32(sum(proposals) + sum(solutions)) as samples,
            toFloat64(sum(duration_ms) / 1000) as seconds
     from iterations where run_id = '${runId}'`,
  );
  if (row === undefined) throw new Error(`run ${runId} has no iteration`);
  return row;
}

const spread = (seconds: readonly number[]): string =>
  seconds.length === 0
    ? 'not known'
    : `${Math.min(...seconds).toFixed(0)} to ${Math.max(...seconds).toFixed(0)} s`;

const signed = (points: number): string => `${points >= 0 ? '+' : ''}${points.toFixed(1)}`;

function report(
  ways: readonly {
    readonly name: string;
    readonly results: readonly Result[];
    readonly curves: readonly Curve[];
  }[],
): void {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  console.log(
    `\nHeld-out accuracy in points, mean [95 % interval]; ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'}\n`,
  );
  console.log('| | seeds | from | to | gain | decline after peak |');
  console.log('|---|---|---|---|---|---|');
  for (const { name, curves } of ways)
    for (const series of SERIES) {
      const first = mean(curves.map((curve) => curve.accuracy[series][0] ?? Number.NaN));
      const last = mean(curves.map((curve) => curve.accuracy[series].at(-1) ?? Number.NaN));
      const { mean: gained, low, high } = meanInterval(curves.map((curve) => gain(curve, series)));
      const decline = mean(curves.map((curve) => declineAfterPeak(curve, series)));
      console.log(
        `| ${name}: ${series} | ${curves.length} | ${first.toFixed(1)} | ${last.toFixed(1)} | ${signed(gained)} [${signed(low)}, ${signed(high)}] | ${decline.toFixed(1)} |`,
      );
    }
  console.log('');
  for (const { name, results } of ways)
    console.log(
      `${name}: ${mean(results.map(({ facts }) => facts.samples)).toFixed(0)} samples and ${mean(results.map(({ facts }) => facts.seconds)).toFixed(0)} s of self-play a run; from order to summary ${spread(results.flatMap(({ wall }) => wall ?? []))}`,
    );
}

await runBench(main);
