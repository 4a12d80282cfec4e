/**
 * Products in bfloat16 against products in float32: log-probabilities, gradients and steps of small models of each kind.
 *
 * Bounds. A factor that is rounded to 8 significant bits is off by at most u = 2^-9 of itself, and a sum of products of
 * such factors, whose errors are independent, by about sqrt(3) u of its own size (two factors and the result). From the
 * embedding to a gradient and back there are at most 2 (7 L + 1) products one behind the other in L layers: their errors
 * add up, if independent, to sqrt(2 (7 L + 1) 3) u. What is asserted is three times as much: 0.055 for two layers. That
 * it is not less than a hundredth of it says that rounding took place.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, loadCheckpoint, saveCheckpoint, type Checkpoint } from '../../src/learner/checkpoint.js';
import { EagerBinding } from '../../src/policy/engine/eager/binding.js';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import { initialModel } from '../../src/policy/engine/model.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { parameterShapes } from '../../src/policy/engine/parameters.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { CheckpointRef, Compute, LearnConfig, LearnRow, ModelSpec } from '../../src/policy/port.js';
import { Random } from '../../src/random.js';

const common = { layers: 2, context: 256, padToken: 0, endToken: 1, rotaryInGraph: true } as const;

const SPECS: Readonly<Record<string, ModelSpec>> = {
  'biases, grouped queries': {
    ...common,
    vocabulary: 600,
    width: 64,
    heads: 4,
    keyValueHeads: 2,
    hidden: 96,
    attentionBias: true,
  },
  'norms by head, short context': {
    ...common,
    context: 64,
    vocabulary: 40,
    width: 48,
    heads: 4,
    keyValueHeads: 1,
    hidden: 80,
    queryKeyNorm: true,
  },
};

const config: LearnConfig = {
  learningRate: 1e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  // Far from every ratio: where one stands on the clip's edge, rounding decides whether its token has a gradient.
  clipLow: 0.9,
  clipHigh: 9,
  entropyCoefficient: 0.01,
  minibatches: 1,
  microbatchRows: 8,
  aggregation: 'token',
  shuffleSeed: 0,
};

const unit = 2 ** -9;
const expectedError = (spec: ModelSpec): number => unit * Math.sqrt(2 * (7 * spec.layers + 1) * 3);

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
const distance = (a: Float32Array, b: Float32Array): number =>
  norm(a.map((x, i) => x - (b[i] ?? Number.NaN)));

function rowsOf(spec: ModelSpec, logProb: number): LearnRow[] {
  const random = new Random(4);
  return Array.from({ length: 6 }, (_, i) => {
    const tokens = Array.from({ length: 20 + 3 * i }, () => random.below(spec.vocabulary));
    const completion = tokens.slice(5);
    return {
      id: String(i),
      group: 'g',
      prompt: tokens.slice(0, 5),
      completion,
      logProbs: completion.map(() => logProb),
      advantage: i % 2 === 0 ? 1 : -0.7,
    };
  });
}

let folder: string;
let native: Native;
let engine: TensorflowEngine;
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-bfloat16-'));
  native = new Native();
  engine = new TensorflowEngine(1, native);
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(Object.entries(SPECS))('%s', (name, spec) => {
  const bound = 3 * expectedError(spec);

  it.each([false, true])(
    'has gradients and log-probabilities within the bounds, recomputed %s',
    async (recompute) => {
      const shapes = parameterShapes(spec);
      const model = initialModel(spec, 3);
      const parameters = shapes.map(({ name: parameter, shape }) =>
        native.create(model.weights.get(parameter)?.data as Float32Array, shape),
      );
      const rows = rowsOf(spec, -Math.log(spec.vocabulary));
      const settings = native.create(
        Float32Array.of(config.clipLow, config.clipHigh, config.entropyCoefficient, 1),
        [4],
      );
      const weights = rows.map(() => 0.01);
      const batch = microbatchTensors(native, spec, rows, weights, settings);
      const run = async (compute: Compute) => {
        const program = new GradientProgram(native, spec, { ...PLAIN_VARIANT, recompute, compute });
        const { gradients, sums } = await program.run(native, parameters, batch);
        const values = await Promise.all(gradients.map((tensor) => native.read(tensor)));
        native.delete(...gradients);
        program.dispose();
        // Float32 comes back, whatever the products were.
        for (const part of values) expect(part).toBeInstanceOf(Float32Array);
        return { gradients: values as Float32Array[], sums };
      };
      const [exact, rounded] = [await run('float32'), await run('bfloat16')];
      shapes.forEach(({ name: parameter }, i) => {
        const [a, b] = [exact.gradients[i] as Float32Array, rounded.gradients[i] as Float32Array];
        const error = distance(a, b) / norm(a);
        expect(error, parameter).toBeLessThan(bound);
        expect(error, parameter).toBeGreaterThan(bound / 100);
      });
      // A logit is a product of a hidden state of size 1 an entry and an embedding row: its error is relative to that.
      const scale = Math.max(...exact.sums.logProbs.map(Math.abs));
      exact.sums.logProbs.forEach((logProb, i) => {
        expect(Math.abs(logProb - (rounded.sums.logProbs[i] ?? Number.NaN))).toBeLessThan(bound * scale);
      });
      expect(Math.abs(exact.sums.loss - rounded.sums.loss)).toBeLessThan(bound * Math.abs(exact.sums.loss));
      native.delete(...parameters, ...(Object.values(batch) as NativeTensor[]));
    },
  );

  it('steps float32 weights and moments, and writes the same checkpoint but for their values', async () => {
    const at = path.join(folder, name.replace(/\W/g, ''));
    const content = contentOf({ version: 0, spec, steps: 0, ...initialModel(spec, 3) });
    const start: CheckpointRef = await saveCheckpoint(content, path.join(at, 'start'), 'start');
    const rows = rowsOf(spec, -Math.log(spec.vocabulary));
    const learn = async (more: Partial<LearnConfig>): Promise<{ saved: Checkpoint; loss: number }> => {
      const to = path.join(at, JSON.stringify(more).replace(/\W/g, ''));
      const { checkpoint, statistics } = await engine.learn(start, rows, { ...config, ...more }, to);
      return { saved: await loadCheckpoint(checkpoint), loss: statistics.loss };
    };
    const exact = await learn({});
    const rounded = await learn({ compute: 'bfloat16' });
    expect(Math.abs(exact.loss - rounded.loss)).toBeLessThan(bound * Math.abs(exact.loss));
    for (const part of ['first', 'second'] as const) {
      const [a, b] = [exact.saved[part], rounded.saved[part]];
      expect([...b.keys()]).toEqual([...a.keys()]);
      for (const [parameter, { data, shape }] of a) {
        const other = b.get(parameter);
        expect(other?.shape).toEqual(shape);
        expect(other?.data).toBeInstanceOf(Float32Array);
        // Second moments are squares: twice the relative error.
        const allowed = part === 'second' ? 2 * bound : bound;
        expect(distance(data, other?.data ?? new Float32Array(0)) / norm(data), parameter).toBeLessThan(
          allowed,
        );
      }
    }
    // Moments and weights of whole bfloat16 values would have their lower 16 bits at 0.
    for (const part of ['weights', 'first', 'second'] as const) {
      const { data } = rounded.saved[part].get('layer0.gateUp') ?? { data: new Float32Array(0) };
      const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
      const whole = bits.filter((word) => (word & 0xffff) === 0).length;
      expect(whole / bits.length, part).toBeLessThan(0.01);
    }
    // The update is at most the learning rate an entry (Adam's first step), and goes the same way where it is certain.
    let [same, certain] = [0, 0];
    for (const [parameter, { data }] of exact.saved.first) {
      const before = initialModel(spec, 3).weights.get(parameter)?.data;
      const [a, b] = [exact.saved.weights.get(parameter)?.data, rounded.saved.weights.get(parameter)?.data];
      const size = norm(data) / Math.sqrt(data.length);
      data.forEach((moment, i) => {
        const [from, one, two] = [before?.[i] ?? 0, a?.[i] ?? 0, b?.[i] ?? 0];
        expect(Math.abs(two - one)).toBeLessThanOrEqual(2 * config.learningRate * (1 + 1e-4));
        if (Math.abs(moment) < size * bound * 3) return;
        certain += 1;
        if (Math.sign(one - from) === Math.sign(two - from)) same += 1;
      });
    }
    expect(certain).toBeGreaterThan(1000);
    expect(same / certain).toBeGreaterThan(0.99);
  });
});

describe('a backend without the type', () => {
  it('refuses before work is done, by name', async () => {
    const spec = { ...common, vocabulary: 40, width: 8, heads: 2, hidden: 8 };
    const eager = new TensorflowEngine(1, new Native(new EagerBinding()));
    const start = await eager.initialise(spec, 1, path.join(folder, 'eager'));
    const learning = eager.learn(
      start,
      rowsOf(spec, -3),
      { ...config, compute: 'bfloat16' },
      path.join(folder, 'never'),
    );
    await expect(learning).rejects.toThrow(
      /compute is bfloat16; the backend \w+ has no such type: accepted is float32/,
    );
    await eager.close();
  });
});
