/**
 * npm run bench -- sampling: tokens a second, by our engine and by transformers.generate, on the same weights and prompts,
 * in turn. Every row has as many new tokens as asked for: end tokens end nothing.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { smolLm2Folder, TINY, tokenRows } from '../beside/models.js';
import { findTorchPython, Side, type Generated } from '../beside/process.js';
import { median, rowsTable, type Row } from '../beside/report.js';
import { runBench } from '../run-bench.js';

const USAGE = `npm run bench -- sampling [options]
  --python FILE   Python with torch and transformers (default: AZR_PYTORCH_PYTHON)
  --rounds N      generations of each side, in turn; medians are shown (default 3)
  --threads N     of each side (default 2)
  --only LIST     of tiny,smollm2 (default: all that are there)
  --json          the numbers as JSON`;

const PROMPT_TOKENS = 32;

function readArguments() {
  try {
    return parseArgs({
      options: {
        python: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        threads: { type: 'string', default: '2' },
        only: { type: 'string', default: 'tiny,smollm2' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} is ${text}; accepted are integers from 1`);
  return value;
}

const tell = (text: string): void => void process.stderr.write(`${text}\n`);

interface Model {
  readonly name: string;
  readonly dir: string;
  readonly vocabulary: number;
  readonly batches: readonly number[];
  readonly newTokens: number;
  readonly wanted: number;
}

async function compare(
  model: Model,
  setting: { readonly python: string; readonly threads: number; readonly rounds: number },
): Promise<Row[]> {
  const torch = await Side.pytorch(setting.python, setting.threads);
  const ours = await Side.ours(setting.threads);
  try {
    for (const side of [torch, ours]) await side.ask({ do: 'load', dir: model.dir });
    const rows: Row[] = [];
    for (const batch of model.batches) {
      const prompts = tokenRows(batch, PROMPT_TOKENS, model.vocabulary, 2);
      const what = `sampling, ${model.name}, batch ${batch}, ${PROMPT_TOKENS} + ${model.newTokens} tokens`;
      const taken: { torch: number; ours: number }[] = [];
      for (let round = 0; round <= setting.rounds; round++) {
        const speed = async (side: Side): Promise<number> => {
          // The first round of each side is not counted, and may be short.
          const newTokens = round === 0 ? 8 : model.newTokens;
          const { tokens, seconds } = await side.ask<Generated>({ do: 'generate', prompts, newTokens });
          return tokens / seconds;
        };
        taken.push({ torch: await speed(torch), ours: await speed(ours) });
        tell(`${what}: round ${round} of ${setting.rounds}, load ${os.loadavg()[0]?.toFixed(1) ?? ''}`);
      }
      const counted = taken.slice(1);
      rows.push({
        what,
        unit: 'tokens/s',
        torch: median(counted.map((pair) => pair.torch)),
        ours: median(counted.map((pair) => pair.ours)),
        ratio: median(counted.map((pair) => pair.ours / pair.torch)),
        wanted: model.wanted,
        note: '',
      });
    }
    return rows;
  } finally {
    await Promise.all([torch.close(), ours.close()]);
  }
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const only = options.only.split(',');
  const unknown = only.find((name) => name !== 'tiny' && name !== 'smollm2');
  if (unknown !== undefined) throw new UsageError(`--only holds ${unknown}; accepted are tiny, smollm2`);
  const setting = {
    python: await findTorchPython(options.python),
    threads: count('threads', options.threads),
    rounds: count('rounds', options.rounds),
  };
  const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-bench-'));
  try {
    const torch = await Side.pytorch(setting.python, setting.threads);
    const ours = await Side.ours(setting.threads);
    const versions = {
      pytorch: await torch.ask({ do: 'versions' }),
      ours: await ours.ask({ do: 'versions' }),
    };
    await torch.ask({ do: 'make', dir: folder, config: TINY, seed: 1 });
    await Promise.all([torch.close(), ours.close()]);
    const smolLm2 = smolLm2Folder();
    const models: Model[] = [
      {
        name: 'tiny',
        dir: folder,
        vocabulary: TINY.vocab_size,
        batches: [64, 256],
        newTokens: 128,
        wanted: 1.5,
      },
      ...(smolLm2 === undefined
        ? []
        : [
            {
              name: 'smollm2',
              dir: smolLm2,
              vocabulary: 49_152,
              batches: [8, 32],
              newTokens: 64,
              wanted: 1.3,
            },
          ]),
    ];
    if (smolLm2 === undefined) tell('SmolLM2-135M is not installed: its rows are left out');
    const rows: Row[] = [];
    for (const model of models.filter(({ name }) => only.includes(name)))
      rows.push(...(await compare(model, setting)));
    console.log(options.json ? JSON.stringify({ versions, rows }, null, 2) : rowsTable(versions, rows));
    return EXIT.ok;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await runBench(main);
