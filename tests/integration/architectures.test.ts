/**
 * The features of pre-trained architectures, in small: sampling (cached, in batches) and gradients against the second
 * implementation (reference-model.ts) and finite differences. Against PyTorch: hugging-face-parity.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, saveCheckpoint } from '../../src/learner/checkpoint.js';
import { EagerBinding } from '../../src/policy/engine/eager/binding.js';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { initialModel } from '../../src/policy/engine/model.js';
import { parameterShapes } from '../../src/policy/engine/parameters.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { LearnConfig, LearnRow, ModelSpec, SampleRequest } from '../../src/policy/port.js';
import { Random } from '../../src/random.js';
import { expectFollowsReference } from '../support/follows-reference.js';
import { referenceLoss, referenceSteps, type Matrix, type Weights } from '../unit/policy/reference-model.js';

const common = { context: 64, padToken: 0, endToken: 1, rotaryInGraph: true } as const;

/** Beside what each architecture has: vocabularies on both sides of the one-hot limit, widths of both kinds of cuts. */
const SPECS: Readonly<Record<string, ModelSpec>> = {
  'Qwen2: biases, grouped queries, an output matrix of its own': {
    ...common,
    context: 256,
    vocabulary: 600,
    layers: 2,
    width: 16,
    heads: 4,
    keyValueHeads: 2,
    hidden: 24,
    attentionBias: true,
    untied: true,
    moreEndTokens: [7, 9],
  },
  'Qwen3: norms by head, one key head, heads wider than the model': {
    ...common,
    vocabulary: 40,
    layers: 2,
    width: 12,
    heads: 4,
    keyValueHeads: 1,
    headWidth: 8,
    hidden: 20,
    queryKeyNorm: true,
    normEpsilon: 1e-5,
    rotaryBase: 1e6,
  },
  'Llama 3: stretched positions, wide': {
    ...common,
    vocabulary: 520,
    layers: 1,
    width: 264,
    heads: 4,
    keyValueHeads: 2,
    hidden: 32,
    normEpsilon: 1e-5,
    rotaryBase: 100,
    rotaryScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 32 },
  },
};

let folder: string;
let engine: TensorflowEngine;
let eager: TensorflowEngine;
let native: Native;
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-architectures-'));
  native = new Native();
  engine = new TensorflowEngine(1, native);
  await tf.setBackend('cpu');
  eager = new TensorflowEngine(1, new Native(new EagerBinding()));
});
afterAll(async () => {
  await engine.close();
  await eager.close();
  await rm(folder, { recursive: true, force: true });
});

/** Weights of some size everywhere: distributions that are not flat, norms that are not 1, biases that are not 0. */
function lively(spec: ModelSpec): ReturnType<typeof initialModel> {
  const model = initialModel(spec, 3);
  const random = new Random(5);
  for (const { data, shape } of model.weights.values())
    data.forEach((value, i) => {
      data[i] = shape.length === 1 ? value + 0.6 * (random.uniform() - 0.5) : 2.5 * value;
    });
  return model;
}

function requestsOf(spec: ModelSpec): SampleRequest[] {
  const random = new Random(8);
  return Array.from({ length: 9 }, (_, i) => {
    const prompt = Array.from({ length: 1 + 2 * i }, () => random.below(spec.vocabulary));
    return Array.from({ length: [1, 3, 2][i % 3] ?? 1 }, (_, k) => ({
      id: `${i}.${k}`,
      prompt,
      seed: 100 * i + k,
      temperature: k === 1 ? 0 : 1,
      maxTokens: 8 + i,
    }));
  }).flat();
}

const config: LearnConfig = {
  learningRate: 1e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 0,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.05,
  minibatches: 1,
  microbatchRows: 8,
  aggregation: 'token',
  shuffleSeed: 1,
};

describe.each(Object.entries(SPECS))('%s', (name, spec) => {
  const model = lively(spec);
  const weights: Weights = model.weights;

  it('samples as full forward passes of the second implementation say', async () => {
    const content = contentOf({ version: 0, spec, steps: 0, ...model });
    const checkpoint = await saveCheckpoint(content, path.join(folder, name.slice(0, 5)), name);
    const requests = requestsOf(spec);
    expectFollowsReference(spec, weights, requests, await engine.sample(checkpoint, requests));
    // The same graphs by the public API's kernels in plain script code.
    const some = requests.filter((_, i) => i % 7 === 0);
    expectFollowsReference(spec, weights, some, await eager.sample(checkpoint, some));
  });

  it.each([
    [0.05, false],
    [0, true],
  ])(
    'has the gradients of finite differences, entropy coefficient %d, recomputed %s',
    async (entropyCoefficient, recompute) => {
      const c = { ...config, entropyCoefficient };
      const random = new Random(9);
      const rows = [4, 7, 5].map((length, i): LearnRow => {
        const tokens = Array.from({ length: length + 3 }, () => random.below(spec.vocabulary));
        const row = { prompt: tokens.slice(0, length), completion: tokens.slice(length) };
        const logProbs = referenceSteps(spec, weights, row).map(
          ({ logProbs, token }) => (logProbs[token] ?? 0) + 0.8 * (random.uniform() - 0.5),
        );
        // One row's loss is not on all of its completion.
        const mask = [true, i !== 1, true];
        return { ...row, id: String(i), group: 'g', logProbs, mask, advantage: i - 0.7 };
      });
      const before = native.tensors;
      const program = new GradientProgram(native, spec, {
        ...PLAIN_VARIANT,
        entropy: entropyCoefficient !== 0,
        recompute,
      });
      const shapes = parameterShapes(spec);
      const parameters = shapes.map(({ name, shape }) =>
        native.create(weights.get(name)?.data as Float32Array, shape),
      );
      const settings = native.create(Float32Array.of(c.clipLow, c.clipHigh, c.entropyCoefficient, 1), [4]);
      const batch = microbatchTensors(
        native,
        spec,
        rows,
        rows.map(() => 1 / 8),
        settings,
      );
      const { gradients, sums } = await program.run(native, parameters, batch);
      expect(sums.loss).toBeCloseTo(referenceLoss(spec, weights, rows, c), 5);
      for (const [i, { name }] of shapes.entries()) {
        const gradient = (await native.read(gradients[i] as (typeof gradients)[number])) as Float32Array;
        const scale = Math.sqrt(gradient.reduce((sum, v) => sum + v * v, 0) / gradient.length);
        for (let k = 0; k < 2; k++) {
          const at = random.below(gradient.length);
          const moved = (step: number): Weights => {
            const { data, shape } = weights.get(name) as Matrix;
            const next = Float64Array.from(data);
            next[at]! += step;
            return new Map([...weights, [name, { shape, data: next }]]);
          };
          const h = 1e-5;
          const [more, less] = [h, -h].map((step) => referenceLoss(spec, moved(step), rows, c)) as [
            number,
            number,
          ];
          const difference = (more - less) / (2 * h);
          // Single precision on one side, a quotient of small differences on the other.
          expect(Math.abs(difference - (gradient[at] ?? Number.NaN)), `${name}[${at}]`).toBeLessThan(
            2e-3 * Math.abs(difference) + 1e-3 * scale + 1e-7,
          );
        }
      }
      native.delete(...parameters, ...gradients, ...(Object.values(batch) as NativeTensor[]));
      program.dispose();
      expect(native.tensors).toBe(before);
    },
  );
});

describe('causal attention in blocks', () => {
  const [qwen2] = Object.values(SPECS) as [ModelSpec];

  // Fewer tokens than blocks leave blocks empty.
  it.each([1, 2, 3, 4, 5, 31])(
    'has the loss and the gradients of attention as a whole, %d tokens',
    async (s) => {
      const random = new Random(s);
      const rows = Array.from({ length: 3 }, (_, i): LearnRow => {
        const tokens = Array.from({ length: s + 1 }, () => random.below(qwen2.vocabulary));
        const completion = tokens.slice(1);
        const logProbs = completion.map(() => -6);
        return {
          id: String(i),
          group: 'g',
          prompt: tokens.slice(0, 1),
          completion,
          logProbs,
          advantage: 1 - i,
        };
      });
      const { weights } = lively(qwen2);
      const gradientsOf = async (context: number): Promise<{ loss: number; gradients: Float32Array[] }> => {
        const spec = { ...qwen2, context };
        const program = new GradientProgram(native, spec);
        const parameters = parameterShapes(spec).map(({ name, shape }) =>
          native.create(weights.get(name)?.data as Float32Array, shape),
        );
        const settings = native.create(Float32Array.of(0.2, 9, 0.01, 1), [4]);
        const factors = rows.map(() => 1 / (3 * s));
        const batch = microbatchTensors(native, spec, rows, factors, settings);
        const { gradients, sums } = await program.run(native, parameters, batch);
        const values = (await Promise.all(gradients.map((tensor) => native.read(tensor)))) as Float32Array[];
        native.delete(...parameters, ...gradients, ...(Object.values(batch) as NativeTensor[]));
        program.dispose();
        return { loss: sums.loss, gradients: values };
      };
      const [whole, blocks] = [await gradientsOf(255), await gradientsOf(256)];
      expect(blocks.loss).toBeCloseTo(whole.loss, 5);
      whole.gradients.forEach((values, i) => {
        const size = Math.hypot(...values);
        const off = Math.hypot(...values.map((x, k) => x - (blocks.gradients[i]?.[k] ?? Number.NaN)));
        expect(off).toBeLessThan(1e-5 * size + 1e-7);
      });
    },
  );
});
