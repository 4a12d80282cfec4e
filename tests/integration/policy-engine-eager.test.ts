/**
 * The same engine without the session, against TensorFlow's session: every graph is run by both, on the same rows. Once on
 * TensorFlow.js's public API, with kernels in plain script code, and once with TensorFlow's kernels node by node, as on a
 * CUDA device.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_ADDITION } from '../../bench/gpu/tiny-work.js';
import { loadCheckpoint } from '../../src/learner/checkpoint.js';
import { DispatchBinding } from '../../src/policy/engine/eager/dispatch.js';
import { EagerBinding } from '../../src/policy/engine/eager/binding.js';
import { Graph } from '../../src/policy/engine/graph.js';
import { loadAddon, Native } from '../../src/policy/engine/native.js';
import { Operations } from '../../src/policy/engine/operations.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import {
  ADAPTABLE,
  type CheckpointRef,
  type LearnConfig,
  type LearnRow,
  type SampleRequest,
} from '../../src/policy/port.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { warmUpRows } from '../../src/policy/tiny/warm-up.js';
import { Random } from '../../src/random.js';
import { writeSmallLlama } from '../support/hugging-face-folder.js';
import { WARM_UP_MIX } from '../support/warm-up-mix.js';

const spec = tinySpec({ layers: 2, width: 16, heads: 2, hidden: 24, context: 96 });
const mix = WARM_UP_MIX;
const config: LearnConfig = { ...EVERY_ADDITION, minibatches: 2 };

let folder: string;
let session: TensorflowEngine;
let start: CheckpointRef;

beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-eager-'));
  session = new TensorflowEngine(1);
  await tf.setBackend('cpu');
  start = await session.initialise(spec, 7, path.join(folder, 'start'));
});

afterAll(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

const requests = (): SampleRequest[] =>
  warmUpRows(99, 6, mix).flatMap((row, i) =>
    Array.from({ length: 1 + (i % 3) }, (_, k) => ({
      id: `${i}.${k}`,
      prompt: row.prompt,
      seed: 1000 * i + k,
      temperature: i === 0 ? 0 : 1,
      maxTokens: 12,
      grammar: row.group,
    })),
  );

describe.each([
  {
    name: 'the public API',
    open: () => new EagerBinding(),
    backend: { backend: 'cpu', library: `TensorFlow.js ${tf.version_core}` },
  },
  {
    name: "TensorFlow's kernels, node by node",
    open: () => new DispatchBinding(loadAddon(), 'a test'),
    backend: { backend: 'tfjs-node-gpu', reason: 'a test' },
  },
])('$name', ({ name: label, open, backend }) => {
  let eager: TensorflowEngine;
  beforeAll(() => {
    eager = new TensorflowEngine(1, new Native(open()));
  });
  afterAll(() => eager.close());
  const folderOf = (checkpoint: string): string => path.join(folder, label, checkpoint);

  it('says what it is', () => {
    expect(eager.backend).toMatchObject(backend);
  });

  it('samples what the session samples', async () => {
    const [fast, slow] = [await session.sample(start, requests()), await eager.sample(start, requests())];
    expect(slow.map(({ tokens }) => tokens)).toEqual(fast.map(({ tokens }) => tokens));
    slow.forEach(({ logProbs }, i) =>
      logProbs.forEach((logP, t) => expect(logP).toBeCloseTo(fast[i]?.logProbs[t] ?? Number.NaN, 4)),
    );
  });

  it('learns adapters as the session does', async () => {
    await writeSmallLlama(folderOf('model'));
    const adapters = { lora: { rank: 3, alpha: 5, targets: ADAPTABLE }, seed: 4 };
    const zero = await session.importModel(folderOf('model'), folderOf('v0'), adapters);
    const prompts = [5, 6, 7, 8].map((token) => [token, 9, 10]);
    const asked = prompts.map((prompt, i) => ({
      ...{ id: `${i}`, prompt, seed: i, temperature: 1, maxTokens: 8, ignoreEnd: true },
    }));
    const samples = await session.sample(zero, asked);
    const rows = samples.map(({ id, tokens, logProbs }, i): LearnRow => ({
      ...{ id, group: 'g', prompt: prompts[i] ?? [], completion: tokens, logProbs },
      advantage: i % 2 === 0 ? 1 : -0.5,
    }));
    const { dualClip: _clip, klCoefficient: _kl, ...plain } = config;
    const learn = (engine: TensorflowEngine, name: string) =>
      engine.learn(zero, rows, { ...plain, learningRate: 1e-2, recompute: true }, folderOf(name));
    const [fast, slow] = [await learn(session, 'fast-lora'), await learn(eager, 'slow-lora')];
    expect(fast.statistics.gradNorm).toBeGreaterThan(0);
    expect(slow.statistics.gradNorm / fast.statistics.gradNorm).toBeCloseTo(1, 4);
    const [a, b] = [await session.sample(fast.checkpoint, asked), await eager.sample(slow.checkpoint, asked)];
    expect(a.map(({ logProbs }) => logProbs)).not.toEqual(samples.map(({ logProbs }) => logProbs));
    b.forEach(({ logProbs }, i) =>
      logProbs.forEach((logP, t) => expect(logP).toBeCloseTo(a[i]?.logProbs[t] ?? Number.NaN, 3)),
    );
  });

  it('learns what the session learns, with every addition of the loss', async () => {
    const random = new Random(3);
    const samples = await session.sample(start, requests());
    const rows = samples.map(({ id, tokens, logProbs }, i): LearnRow => {
      const { prompt, grammar = '' } = requests()[i] as SampleRequest;
      const moved = logProbs.map((logProb) => logProb + 0.8 * (random.uniform() - 0.5));
      const advantage = 2 * random.uniform() - 1;
      return { id, group: grammar, grammar, prompt, completion: tokens, logProbs: moved, advantage };
    });
    const reference = await session.initialise(spec, 8, folderOf('reference'));
    const learn = (engine: TensorflowEngine, name: string) =>
      engine.learn(start, rows, config, folderOf(name), { reference });
    const [fast, slow] = [await learn(session, 'fast'), await learn(eager, 'slow')];
    expect(slow.statistics.clipFraction).toBeGreaterThan(0);
    expect(slow.statistics.clipFraction).toBe(fast.statistics.clipFraction);
    for (const key of ['loss', 'gradNorm', 'entropy', 'approxKl'] as const)
      expect(slow.statistics[key], key).toBeCloseTo(fast.statistics[key], 5);
    const [a, b] = [await loadCheckpoint(fast.checkpoint), await loadCheckpoint(slow.checkpoint)];
    const before = (await loadCheckpoint(start)).weights;
    for (const [name, { data }] of a.first) {
      const scale = Math.max(...data.map(Math.abs));
      b.first.get(name)?.data.forEach((moment, i) => {
        expect(Math.abs(moment - (data[i] ?? Number.NaN)), name).toBeLessThan(1e-4 * scale + 1e-9);
      });
    }
    expect(before.get('embedding')?.data).not.toEqual(a.weights.get('embedding')?.data);
    // Adam's first steps divide a moment by its own size: where a gradient is rounding only, its sign is chance.
    for (const [name, { data }] of a.weights)
      b.weights.get(name)?.data.forEach((weight, i) => {
        const certain = Math.abs(a.first.get(name)?.data[i] ?? 0) > 1e-6;
        if (certain) expect(Math.abs(weight - (data[i] ?? Number.NaN)), name).toBeLessThan(1e-5);
      });
  });

  it('holds no tensors after the work', async () => {
    const before = eager.tensors;
    await eager.sample(start, requests().slice(0, 2));
    expect(eager.tensors).toBe(before);
  });
});

describe('the public API', () => {
  it('names an operation that it does not have', () => {
    const native = new Native(new EagerBinding());
    const graph = new Graph();
    const input = graph.placeholder('float');
    const output = graph.op1(
      'Digamma',
      [new Operations(graph).exp(input)],
      { T: { type: 'float' } },
      'float',
    );
    const program = native.compile(graph, [input], [output]);
    expect(() => program.run([native.create(Float32Array.of(1), [1])])).toThrow(/Digamma has no kernel/);
  });
});
