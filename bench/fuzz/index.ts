/**
 * npm run bench -- fuzz --minutes 10: random programs, mutated attacks and random texts against the sandbox and its judge,
 * beside an honest evaluation of each (run.ts). Ends with 6 where something was found; `--seed S --case N` shows a case.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { say, sayJson, table, tell } from '../../src/cli/output.js';
import { UsageError } from '../../src/config/errors.js';
import { integer } from '../integer.js';
import { runBench } from '../run-bench.js';
import { fuzzCase } from './cases.js';
import { checkoutMaterial, materialOf } from './material.js';
import { fuzz, type FuzzReport } from './run.js';

const DEFAULT_ATTACKS = path.join('..', 'shared', 'attacks.json');
const USAGE = `npm run bench -- fuzz [options], in the folder of the checkout
  --minutes M    how long (default 10)
  --seed S       names the run: the same seed gives the same cases (default 1)
  --case N       prints case N of the seed and ends
  --workers N    workers of the sandbox under test (default 2)
  --attacks F    JSON list of {code, input} to mutate besides our own (default ${DEFAULT_ATTACKS} where it exists)
  --json         the report as JSON`;

function readArguments() {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        case: { type: 'string' },
        workers: { type: 'string', default: '2' },
        attacks: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

function minutesOf(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= 10_000))
    throw new UsageError(`--minutes is ${text}; accepted are numbers above 0, up to 10000`);
  return minutes;
}

function show(report: FuzzReport): void {
  const { cases, inputs, outcomes, plain, unsteady, otherReason, findings, seconds } = report;
  say(table(Object.entries(cases).map(([family, count]) => ({ family, cases: count }))));
  say('');
  say(table(Object.entries(outcomes).map(([outcome, count]) => ({ outcome, inputs: count }))));
  say(`
${inputs} inputs in ${seconds.toFixed(0)} s; ${plain} values confirmed by plain CPython; ${unsteady} unsteady programs;
${otherReason} without a value here and there, for different reasons; ${findings.length} findings`);
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    say(USAGE);
    return EXIT.ok;
  }
  const seed = integer('seed', options.seed, 0, 2 ** 31);
  const workers = integer('workers', options.workers, 1, 64);
  const attacks = options.attacks ?? (existsSync(DEFAULT_ATTACKS) ? DEFAULT_ATTACKS : undefined);
  const material = [
    ...(await checkoutMaterial(process.cwd())),
    ...(attacks === undefined ? [] : await materialOf(attacks)),
  ];
  if (options.case !== undefined) {
    sayJson(fuzzCase(seed, integer('case', options.case, 0, 2 ** 31), material));
    return EXIT.ok;
  }
  let told = 0;
  const report = await fuzz({
    seed,
    seconds: minutesOf(options.minutes) * 60,
    workers,
    material,
    onBatch: ({ inputs, findings, seconds }) => {
      if (seconds - told < 30) return;
      told = seconds;
      tell(`${seconds.toFixed(0)} s, ${inputs} inputs, ${findings.length} findings`);
    },
  });
  if (options.json) sayJson(report);
  else show(report);
  for (const finding of report.findings.slice(0, 100)) tell(JSON.stringify(finding));
  return report.findings.length > 0 ? EXIT.differences : EXIT.ok;
}

await runBench(main);
