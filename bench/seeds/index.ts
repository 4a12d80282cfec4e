/**
 * npm run bench -- seeds [DIR]: every stored pair of the seed files and of CRUXEval through the sandbox; how many give
 * the stored output, and what explains each of the others. Ends with 6 where one is unclassified.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { say, sayJson, table, tell } from '../../src/cli/output.js';
import { UsageError } from '../../src/config/errors.js';
import { createSandbox } from '../../src/sandbox/index.js';
import { runBench } from '../run-bench.js';
import { MEANINGS, PAIR_CLASSES, type PairClass } from './classes.js';
import { readStored } from './files.js';
import { rerun, type PairResult } from './rerun.js';

const DEFAULT_FOLDER = path.join('..', 'shared', 'data', 'seeds');
const USAGE = `npm run bench -- seeds [DIR] [options]
  DIR            folder of *seed_io.jsonl files (default ${DEFAULT_FOLDER})
  --cruxeval F   CRUXEval's file (default DIR/../benchmarks/cruxeval.jsonl where it exists)
  --workers N    sandbox workers (default 2)
  --json         the counts as JSON`;

interface FileCounts {
  readonly file: string;
  readonly rows: number;
  readonly pairs: number;
  readonly counts: Readonly<Record<PairClass, number>>;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        cruxeval: { type: 'string' },
        workers: { type: 'string', default: '2' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

async function filesOf(folder: string, cruxeval: string | undefined): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new UsageError(`DIR is ${folder}, which cannot be read: ${(error as Error).message}\n${USAGE}`);
  }
  const files = names
    .filter((name) => name.endsWith('seed_io.jsonl'))
    .sort()
    .map((name) => path.join(folder, name));
  const beside = path.join(folder, '..', 'benchmarks', 'cruxeval.jsonl');
  const crux = cruxeval ?? (existsSync(beside) ? beside : undefined);
  if (crux !== undefined) files.push(crux);
  if (files.length === 0)
    throw new UsageError(
      `DIR is ${folder}, which holds no *seed_io.jsonl; accepted is a folder of seed files`,
    );
  return files;
}

function countsOf(file: string, rows: number, results: readonly PairResult[]): FileCounts {
  const counts = Object.fromEntries(PAIR_CLASSES.map((name) => [name, 0])) as Record<PairClass, number>;
  for (const result of results) counts[result.class]++;
  return { file, rows, pairs: results.length, counts };
}

/** Rows of a table: a column for each class that occurs anywhere. */
function tableRows(all: readonly FileCounts[]): Record<string, unknown>[] {
  const occurring = PAIR_CLASSES.filter(
    (name) => name === 'unclassified' || all.some(({ counts }) => counts[name] > 0),
  );
  return all.map(({ file, rows, pairs, counts }) => ({
    file,
    rows,
    pairs,
    ...Object.fromEntries(occurring.map((name) => [name, counts[name]])),
  }));
}

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  if (values.help) {
    say(USAGE);
    return EXIT.ok;
  }
  if (positionals.length > 1)
    throw new UsageError(`there are ${positionals.length} folders; accepted is one\n${USAGE}`);
  const workers = Number(values.workers);
  if (!Number.isInteger(workers) || workers < 1 || workers > 64)
    throw new UsageError(`--workers is ${values.workers}; accepted are 1 to 64`);
  const files = await filesOf(positionals[0] ?? DEFAULT_FOLDER, values.cruxeval);
  const sandbox = await createSandbox({ workers });
  const all: FileCounts[] = [];
  const unclassified: string[] = [];
  let broken = 0;
  try {
    for (const file of files) {
      const stored = await readStored(file);
      const name = path.basename(file);
      for (const line of stored.broken) tell(`${name}, line ${line.line}: ${line.error}`);
      broken += stored.broken.length;
      const results = await rerun(sandbox, stored.programs);
      all.push(countsOf(name, stored.programs.length, results));
      for (const { line, pair, stored: output, outcome, class: found } of results)
        if (found === 'unclassified')
          unclassified.push(
            `${name}, line ${line}, pair ${pair}: stored ${output.slice(0, 100)}; here ${JSON.stringify(outcome).slice(0, 200)}`,
          );
    }
  } finally {
    await sandbox.close();
  }
  const total = countsOf(
    'all',
    all.reduce((sum, { rows }) => sum + rows, 0),
    [],
  );
  const whole: FileCounts = {
    ...total,
    pairs: all.reduce((sum, { pairs }) => sum + pairs, 0),
    counts: Object.fromEntries(
      PAIR_CLASSES.map((name) => [name, all.reduce((sum, { counts }) => sum + counts[name], 0)]),
    ) as Record<PairClass, number>,
  };
  if (values.json) sayJson({ interpreter: sandbox.interpreter, files: all, all: whole, unclassified });
  else {
    say(table(tableRows([...all, whole])));
    say('');
    say(
      table(
        PAIR_CLASSES.map((name) => ({ class: name, pairs: whole.counts[name], meaning: MEANINGS[name] })),
      ),
    );
  }
  for (const line of unclassified) tell(`unclassified: ${line}`);
  if (unclassified.length > 0) return EXIT.differences;
  return broken > 0 ? EXIT.usage : EXIT.ok;
}

await runBench(main);
