/**
 * npm run bench -- learning: does self-play teach the tiny policy anything, and is it the reward that does it?
 *
 * For each seed three real runs on the local stack, from the same warmed-up weights (the second and third are forks of
 * the first at iteration 0):
 *
 *   self-play    the preset as it is
 *   control      the same, but each solver row of a batch gets the reward of another of its role and kind
 *   solver only  the same, but tasks are drawn uniformly from the domain instead of being proposed
 *
 * Printed: gains in held-out accuracy (last minus first, greedy answers) with Student's 95 % intervals over the seeds, the
 * decline after the peak, samples and wall time. A bench that was broken off goes on with the runs that are missing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { commandIn, type Azr } from '../azr-command.js';
import { runBench } from '../run-bench.js';
import { curveOf, declineAfterPeak, gain, SERIES, type Curve, type ScoreRow } from './curves.js';
import { picture } from './picture.js';
import { meanInterval } from './statistics.js';

const USAGE = `npm run bench -- learning [options]
  --seeds N         seeds 1 to N (default 5)
  --preset NAME     default tiny
  --iterations N    of each run (default: the preset's)
  --set KEY=VALUE   override a key in all runs
  --ways LIST       of self-play,control,solver-only (default: all; self-play always runs)
  --data DIR        data folder of the stack (default .azr/bench-learning)
  --picture FILE    where the curves are drawn (default: no picture)
  --json            the numbers as JSON`;

const WAYS = [
  { name: 'self-play', colour: '#0b6e4f', overrides: [] },
  { name: 'control', colour: '#c1121f', overrides: ['control.permuteSolverRewards=true'] },
  { name: 'solver-only', colour: '#3a6ea5', overrides: ['propose.source=uniform'] },
] as const;
type WayName = (typeof WAYS)[number]['name'];

interface RunFacts {
  readonly status: string;
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
  const seeds = Number(options.seeds);
  if (!(Number.isInteger(seeds) && seeds >= 1 && seeds <= 11))
    throw new UsageError(`--seeds is ${options.seeds}; accepted are integers from 1 to 11`);
  const wanted = options.ways.split(',');
  for (const name of wanted)
    if (!WAYS.some((way) => way.name === name))
      throw new UsageError(
        `--ways holds ${JSON.stringify(name)}; accepted are ${WAYS.map((way) => way.name).join(', ')}`,
      );
  const ways = WAYS.filter(({ name }) => name === 'self-play' || wanted.includes(name));
  const dataDir = path.resolve(options.data);
  await mkdir(dataDir, { recursive: true });
  const azr = commandIn(dataDir);
  const say = (line: string): void => {
    if (!options.json) console.log(line);
  };

  const facts = new Map<string, RunFacts>();
  const name = (way: WayName, seed: number): string => `learning-${options.preset}-${way}-${seed}`;
  await azr(['up']);
  try {
    for (let seed = 1; seed <= seeds; seed++)
      for (const way of ways) {
        const runId = name(way.name, seed);
        const status = await statusOf(azr, runId);
        if (status !== 'completed') {
          const set = [...options.set, ...way.overrides].flatMap((text) => ['--set', text]);
          if (status !== undefined) await azr(['resume', runId, '--follow']);
          else if (way.name === 'self-play') {
            const iterations = options.iterations === undefined ? [] : ['--iterations', options.iterations];
            await azr([
              'run',
              options.preset,
              '--run',
              runId,
              '--seed',
              String(seed),
              ...iterations,
              ...set,
              '--follow',
            ]);
          } else await azr(['fork', `${name('self-play', seed)}@0`, '--run', runId, ...set, '--follow']);
        }
        const done = await factsOf(azr, runId);
        facts.set(runId, done);
        const curve = curveOf(await scoresOf(azr, [runId]), runId);
        say(
          `${runId}: ${SERIES.map((s) => `${s} ${signed(gain(curve, s))}`).join(', ')} (${done.samples} samples, ${done.seconds.toFixed(0)} s)`,
        );
      }
    const runs = ways.flatMap((way) => Array.from({ length: seeds }, (_, i) => name(way.name, i + 1)));
    const scores = await scoresOf(azr, runs);
    const results = ways.map((way) => {
      const ids = Array.from({ length: seeds }, (_, i) => name(way.name, i + 1));
      const curves = ids.map((id) => curveOf(scores, id));
      return { ...way, curves, facts: ids.flatMap((id) => facts.get(id) ?? []) };
    });
    if (options.picture !== undefined)
      await writeFile(
        options.picture,
        picture(`Held-out accuracy in %, mean and range of ${seeds} seeds`, results),
      );
    if (options.json)
      console.log(
        JSON.stringify(results.map(({ name: way, curves, facts: of }) => ({ way, curves, facts: of }))),
      );
    else report(results, seeds);
  } finally {
    await azr(['down']);
  }
  return EXIT.ok;
}

async function statusOf(azr: Azr, runId: string): Promise<string | undefined> {
  const runs = JSON.parse(await azr(['runs', '--json'])) as { run: string; status: string }[];
  return runs.find(({ run }) => run === runId)?.status;
}

async function query<T>(azr: Azr, sql: string): Promise<T[]> {
  return JSON.parse(await azr(['sql', sql, '--format', 'json'])) as T[];
}

const quoted = (ids: readonly string[]): string => ids.map((id) => `'${id}'`).join(', ');

async function scoresOf(azr: Azr, runs: readonly string[]): Promise<ScoreRow[]> {
  return query<ScoreRow>(
    azr,
    `select run_id, toUInt32(iteration) as iteration, kind, bucket, toUInt32(count) as count, toUInt32(correct) as correct
     from evaluations where run_id in (${quoted(runs)})`,
  );
}

async function factsOf(azr: Azr, runId: string): Promise<RunFacts> {
  const [row] = await query<RunFacts>(
    azr,
    `select 'completed' as status, toUInt32(sum(proposals) + sum(solutions)) as samples,
            toFloat64(sum(duration_ms) / 1000) as seconds
     from iterations where run_id = '${runId}'`,
  );
  if (row === undefined) throw new Error(`run ${runId} has no iteration`);
  return row;
}

const signed = (points: number): string => `${points >= 0 ? '+' : ''}${points.toFixed(1)}`;

function report(
  results: readonly {
    readonly name: string;
    readonly curves: readonly Curve[];
    readonly facts: readonly RunFacts[];
  }[],
  seeds: number,
): void {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  console.log(
    `\n${seeds} seeds, held-out accuracy in points, mean [95 % interval]; ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'}\n`,
  );
  console.log('| | from | to | gain | decline after peak |');
  console.log('|---|---|---|---|---|');
  for (const { name, curves } of results)
    for (const series of SERIES) {
      const first = mean(curves.map((curve) => curve.accuracy[series][0] ?? Number.NaN));
      const last = mean(curves.map((curve) => curve.accuracy[series].at(-1) ?? Number.NaN));
      const { mean: gained, low, high } = meanInterval(curves.map((curve) => gain(curve, series)));
      const decline = mean(curves.map((curve) => declineAfterPeak(curve, series)));
      console.log(
        `| ${name}: ${series} | ${first.toFixed(1)} | ${last.toFixed(1)} | ${signed(gained)} [${signed(low)}, ${signed(high)}] | ${decline.toFixed(1)} |`,
      );
    }
  console.log('');
  for (const { name, facts } of results)
    console.log(
      `${name}: ${mean(facts.map(({ samples }) => samples)).toFixed(0)} samples and ${mean(facts.map(({ seconds }) => seconds)).toFixed(0)} s of self-play a run`,
    );
}

await runBench(main);
