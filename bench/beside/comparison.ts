/** What the benches beside PyTorch have in common: options, versions, and the tiny model that both sides load. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { integer } from '../integer.js';
import { smolLm2Folder, TINY } from './models.js';
import { findTorchPython, Side } from './process.js';
import { rowsTable, type Row } from './report.js';

export interface Comparison {
  readonly python: string;
  readonly threads: number;
  readonly rounds: number;
  /** Which of the cases are asked for. */
  readonly only: readonly string[];
  /** The tiny model, drawn at random. */
  readonly tiny: string;
  /** Undefined where it is not installed. */
  readonly smolLm2: string | undefined;
}

export const tell = (text: string): void => void process.stderr.write(`${text}\n`);

/** One line a round. */
export const tellRound = (what: string, round: number, rounds: number): void =>
  tell(`${what}: round ${round} of ${rounds}, load ${os.loadavg()[0]?.toFixed(1) ?? ''}`);

/** The command line of such a bench; prints the table of what `measure` gives. @returns the exit code. */
export async function compareSides(
  usage: string,
  cases: readonly string[],
  defaultRounds: number,
  measure: (comparison: Comparison) => Promise<Row[]>,
): Promise<number> {
  const options = readArguments(usage, cases, defaultRounds);
  if (options.help) {
    console.log(usage);
    return EXIT.ok;
  }
  const only = options.only.split(',');
  const unknown = only.find((name) => !cases.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--only holds ${unknown}; accepted are ${cases.join(', ')}`);
  const python = await findTorchPython(options.python);
  const threads = integer('threads', options.threads, 1, 1024);
  const rounds = integer('rounds', options.rounds, 1, 1000);
  const tiny = await mkdtemp(path.join(os.tmpdir(), 'azr-bench-'));
  try {
    const [torch, ours] = [await Side.pytorch(python, threads), await Side.ours(threads)];
    const versions = {
      pytorch: await torch.ask({ do: 'versions' }),
      ours: await ours.ask({ do: 'versions' }),
    };
    await torch.ask({ do: 'make', dir: tiny, config: TINY, seed: 1 });
    await Promise.all([torch.close(), ours.close()]);
    const smolLm2 = smolLm2Folder();
    if (smolLm2 === undefined) tell('SmolLM2-135M is not installed: its rows are left out');
    const rows = await measure({ python, threads, rounds, only, tiny, smolLm2 });
    console.log(options.json ? JSON.stringify({ versions, rows }, null, 2) : rowsTable(versions, rows));
    return EXIT.ok;
  } finally {
    await rm(tiny, { recursive: true, force: true });
  }
}

function readArguments(usage: string, cases: readonly string[], rounds: number) {
  try {
    return parseArgs({
      options: {
        python: { type: 'string' },
        rounds: { type: 'string', default: String(rounds) },
        threads: { type: 'string', default: '2' },
        only: { type: 'string', default: cases.join(',') },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}
