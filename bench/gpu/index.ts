/**
 * npm run bench -- gpu: the engine on the backend that is chosen here (AZR_BACKEND), against recorded numbers and against
 * plain script code; and how long a step and sampling take. Needs no other process, service or package than the engine's.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { openNative } from '../../src/policy/engine/backend.js';
import { threadVariables } from '../../src/policy/engine/environment.js';
import type { Native } from '../../src/policy/engine/native.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { readHuggingFaceConfig } from '../../src/policy/hugging-face/config.js';
import { weightMappings } from '../../src/policy/hugging-face/names.js';
import { writeSafetensorsFolder } from '../../src/policy/safetensors/writer.js';
import { sizeOf } from '../../src/policy/shape.js';
import { Random } from '../../src/random.js';
import { smolLm2Folder, TINY } from '../beside/models.js';
import { integer } from '../integer.js';
import { runBench } from '../run-bench.js';
import { Checks, worst } from './check.js';
import { checkRecorded } from './parity.js';
import { timeModel, type Timed } from './timing.js';
import { tinyWork, type TinyWork } from './tiny-work.js';

const USAGE = `npm run bench -- gpu [options]
  --only LIST     of parity,plain,tiny,smollm2 (default: all; smollm2 where the model is)
  --rounds N      counted runs of each measurement; medians are shown (default 5)
  --smollm2 DIR   SmolLM2-135M (default: AZR_SMOLLM2, or where azr model fetch puts it)
  --models DIR    models with an expected.json each (default: tests/golden/hugging-face)
  --json FILE     writes everything there, too
The backend is chosen as the engine chooses it; AZR_BACKEND names one.`;

const PARTS = ['parity', 'plain', 'tiny', 'smollm2'];
const GOLDEN = fileURLToPath(new URL('../../../tests/golden/hugging-face', import.meta.url));

function readOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', default: PARTS.join(',') },
        rounds: { type: 'string', default: '5' },
        smollm2: { type: 'string' },
        models: { type: 'string', default: GOLDEN },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

/** The tiny shape with weights drawn at random. */
async function writeTiny(folder: string): Promise<void> {
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(TINY));
  const { spec } = await readHuggingFaceConfig(folder, false);
  const random = new Random(1);
  const tensors = weightMappings(spec).flatMap(({ sources }) => sources);
  await writeSafetensorsFolder(folder, tensors, (name) => {
    const { shape } = tensors.find((tensor) => tensor.name === name) ?? { shape: [] };
    const values = Float32Array.from({ length: sizeOf(shape) }, () => 0.07 * (random.uniform() - 0.5));
    return name.endsWith('norm.weight') ? values.fill(1) : values;
  });
}

/** The policy with a grammar, here and by plain script code in a process of its own. */
async function checkPlain(native: Native, folder: string, checks: Checks): Promise<void> {
  const plain = promisify(execFile)(
    process.execPath,
    [fileURLToPath(new URL('./plain.js', import.meta.url))],
    {
      maxBuffer: 2 ** 28,
    },
  );
  const here = await tinyWork(new TensorflowEngine(1, native), path.join(folder, 'work'));
  const there = JSON.parse((await plain).stdout) as TinyWork;
  checks.is('grammar policy: sampled tokens', JSON.stringify(here.tokens) === JSON.stringify(there.tokens));
  checks.differs(
    'grammar policy: log-probabilities',
    worst(here.logProbs.flat(), there.logProbs.flat()),
    1e-4,
  );
  for (const key of ['loss', 'gradNorm', 'entropy', 'approxKl', 'clipFraction'] as const)
    checks.differs(
      `grammar policy: ${key} of a step`,
      Math.abs(here.statistics[key] - there.statistics[key]),
      1e-5,
    );
  const differences = Object.entries(there.first).map(([name, values]) => {
    const scale = values.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
    return worst(here.first[name] ?? [], values) / scale;
  });
  checks.differs('grammar policy: first moments, relative to each largest', Math.max(...differences), 1e-3);
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const only = options.only.split(',');
  const unknown = only.find((name) => !PARTS.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--only holds ${unknown}; accepted are ${PARTS.join(', ')}`);
  const rounds = integer('rounds', options.rounds, 1, 1000);
  const smolLm2 = options.smollm2 ?? smolLm2Folder();
  if (options.smollm2 !== undefined && !existsSync(path.join(options.smollm2, 'config.json')))
    throw new UsageError(`--smollm2 is ${options.smollm2}; accepted is a folder with a config.json`);
  const threads = os.availableParallelism();
  for (const [name, value] of Object.entries(threadVariables(threads))) process.env[name] ??= value;
  const native = await openNative();
  const backend = native.describe(threads);
  const host = {
    node: process.version,
    system: `${os.type()} ${os.release()}`,
    cpu: os.cpus()[0]?.model ?? '',
  };
  console.log(JSON.stringify({ ...backend, ...host }, null, 2));
  const checks = new Checks();
  const times: Timed[] = [];
  const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-gpu-tiny-'));
  try {
    if (only.includes('parity')) await checkRecorded(native, options.models, checks);
    if (only.includes('plain')) await checkPlain(native, folder, checks);
    if (only.includes('tiny')) {
      await writeTiny(folder);
      const shape = { step: [16, 257], batches: [64, 256], prompt: 32, newTokens: 128 } as const;
      times.push(...(await timeModel(native, 'tiny', folder, shape, rounds)));
    }
    if (only.includes('smollm2')) {
      const shape = { step: [1, 257], batches: [8, 32], prompt: 32, newTokens: 64 } as const;
      if (smolLm2 === undefined) console.log('SmolLM2-135M is not there: it is left out');
      else times.push(...(await timeModel(native, 'smollm2', smolLm2, shape, rounds)));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
    native.close();
  }
  for (const { what, milliseconds, tokensPerSecond } of times)
    console.log(`${what}: ${milliseconds.toFixed(1)} ms, ${tokensPerSecond.toFixed(0)} tokens/s`);
  console.log(`${checks.lines.length - checks.failures} of ${checks.lines.length} checks hold`);
  if (options.json !== undefined)
    await writeFile(options.json, JSON.stringify({ backend, host, checks: checks.lines, times }, null, 2));
  return checks.failures === 0 ? EXIT.ok : EXIT.unexpected;
}

await runBench(main);
