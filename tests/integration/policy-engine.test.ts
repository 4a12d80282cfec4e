/** The engine's graphs against a second implementation (reference-model.ts), finite differences and known sequences. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGGREGATIONS } from '../../src/learner/aggregations.js';
import { loadCheckpoint, type Checkpoint } from '../../src/learner/checkpoint.js';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { Learner } from '../../src/policy/engine/learner.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import { freshModel, tensorsOf, type ModelTensors } from '../../src/policy/engine/model.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { parameterShapes } from '../../src/policy/engine/parameters.js';
import { ScoreProgram } from '../../src/policy/engine/score-graph.js';
import { newTotals, type StepTotals } from '../../src/policy/engine/statistics.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { Update } from '../../src/policy/engine/update.js';
import type { CheckpointRef, LearnConfig, LearnRow, SampleRequest } from '../../src/policy/port.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { warmUpRows } from '../../src/policy/tiny/warm-up.js';
import { Random } from '../../src/random.js';
import { expectFollowsReference } from '../support/follows-reference.js';
import { referenceLoss, referenceSteps, type Matrix, type Weights } from '../unit/policy/reference-model.js';
import { WARM_UP_MIX } from '../support/warm-up-mix.js';

const spec = tinySpec({ layers: 2, width: 16, heads: 2, hidden: 24, context: 96 });
const mix = WARM_UP_MIX;
const config: LearnConfig = {
  learningRate: 3e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.01,
  minibatches: 2,
  microbatchRows: 16,
  aggregation: 'token',
  shuffleSeed: 5,
};

let folder: string;
let engine: TensorflowEngine;
let fresh: CheckpointRef;
/** Taught a little, so that distributions are not flat. */
let taught: CheckpointRef;
let weights: Weights;

beforeAll(async () => {
  // Read when the library is loaded, which is when the first engine is made.
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-policy-'));
  engine = new TensorflowEngine(1);
  fresh = await engine.initialise(spec, 7, path.join(folder, 'fresh'));
  const batches = Array.from({ length: 60 }, (_, i) => warmUpRows(i, 64, mix));
  const result = await engine.imitate(fresh, batches, config, path.join(folder, 'taught'));
  taught = result.checkpoint;
  weights = (await loadCheckpoint(taught)).weights;
});

afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

function requestsOf(count: number, over: Partial<SampleRequest> = {}): SampleRequest[] {
  return warmUpRows(99, count, mix).flatMap((row, i) =>
    // Prompts are shared by 1, 3 or 8 samples.
    Array.from({ length: [1, 3, 8][i % 3] ?? 1 }, (_, k) => ({
      id: `${i}.${k}`,
      prompt: row.prompt,
      seed: 1000 * i + k,
      temperature: 1,
      maxTokens: 30,
      grammar: row.group,
      ...over,
    })),
  );
}

describe('sampling against full forward passes of a second implementation', () => {
  it('draws each token from the masked distribution by its own uniform', async () => {
    const requests = requestsOf(24);
    expectFollowsReference(spec, weights, requests, await engine.sample(taught, requests));
  });

  it('is greedy at temperature 0, and holds different temperatures and lengths in one batch', async () => {
    const requests = requestsOf(18).map((request, i) => ({
      ...request,
      temperature: [0, 0.5, 1.7][i % 3] ?? 1,
      maxTokens: 3 + (i % 11),
    }));
    expectFollowsReference(spec, weights, requests, await engine.sample(taught, requests));
  });

  it('samples without a grammar', async () => {
    const requests = requestsOf(6).map(({ grammar: _grammar, ...request }) => request);
    expectFollowsReference(spec, weights, requests, await engine.sample(taught, requests));
  });

  it('goes up to the end of the context', async () => {
    const prompt = (warmUpRows(1, 1, mix)[0] as LearnRow).prompt;
    const requests = [
      { id: 'long', prompt, seed: 4, temperature: 1, maxTokens: spec.context - prompt.length },
    ];
    expectFollowsReference(spec, weights, requests, await engine.sample(taught, requests));
  });

  it('does not depend on batch mates', async () => {
    const requests = requestsOf(30);
    const together = await engine.sample(taught, requests);
    for (const i of [0, 5, 17, 40, 77]) {
      const [alone] = await engine.sample(taught, [requests[i] as SampleRequest]);
      expect(alone?.tokens).toEqual(together[i]?.tokens);
      alone?.logProbs.forEach((logProb, t) =>
        expect(logProb).toBeCloseTo(together[i]?.logProbs[t] ?? Number.NaN, 5),
      );
    }
    const backwards = await engine.sample(taught, [...requests].reverse());
    expect(backwards.map(({ tokens }) => tokens).reverse()).toEqual(together.map(({ tokens }) => tokens));
  });

  it('first tokens have the frequencies of their probabilities', async () => {
    const row =
      warmUpRows(12, 3, mix).find(({ group }) => group.startsWith('propose')) ?? warmUpRows(12, 1, mix)[0];
    const { prompt, group: grammar } = row as LearnRow;
    const n = 3000;
    const samples = await engine.sample(
      taught,
      Array.from({ length: n }, (_, seed) => ({
        id: `${seed}`,
        prompt,
        seed,
        temperature: 1,
        maxTokens: 1,
        grammar,
      })),
    );
    const counts = new Map<number, number>();
    for (const { tokens } of samples) counts.set(tokens[0] ?? -1, (counts.get(tokens[0] ?? -1) ?? 0) + 1);
    const [step] = referenceSteps(spec, weights, { prompt, completion: [0], grammar });
    step?.logProbs.forEach((logP, token) => {
      const p = Math.exp(logP);
      expect(Math.abs((counts.get(token) ?? 0) - n * p)).toBeLessThanOrEqual(
        4.5 * Math.sqrt(n * p * (1 - p)) + 1e-9,
      );
    });
  });

  it('reports progress, and stops when told', async () => {
    const seen: number[] = [];
    const requests = requestsOf(60);
    const samples = await engine.sample(taught, requests, { onProgress: (tokens) => seen.push(tokens) });
    expect(seen.at(-1)).toBe(samples.reduce((sum, { tokens }) => sum + tokens.length, 0));
    const before = engine.tensors;
    const cancel = new AbortController();
    await expect(
      engine.sample(taught, requests, { signal: cancel.signal, onProgress: () => cancel.abort() }),
    ).rejects.toThrow(/abort/i);
    expect(engine.tensors).toBe(before);
  });
});

/** Rows sampled from the model with behaviour log-probabilities moved, so that some ratios are clipped. */
async function learnRows(count: number, seed: number): Promise<LearnRow[]> {
  const random = new Random(seed);
  const requests = requestsOf(count);
  const samples = await engine.sample(taught, requests);
  return samples.map(({ id, tokens, logProbs }, i) => ({
    id,
    group: requests[i]?.grammar ?? '',
    grammar: requests[i]?.grammar ?? '',
    prompt: requests[i]?.prompt ?? [],
    completion: tokens,
    logProbs: logProbs.map((logProb) => logProb + 0.8 * (random.uniform() - 0.5)),
    // Both signs, none near zero, so that each term of the loss tells.
    advantage: (i % 2 === 0 ? 1 : -1) * (0.25 + 0.75 * random.uniform()),
  }));
}

describe('learning against finite differences and a second optimiser', () => {
  it.each([
    ['plain', 'token', {}],
    ['plain', 'sequence', {}],
    ['dual clip', 'token', { dualClip: 1.1 }],
    ['held to a reference policy', 'token', { klCoefficient: 0.7 }],
    ['both', 'sequence', { dualClip: 1.1, klCoefficient: 0.7 }],
  ] as const)('gradients of the clipped loss, %s, %s aggregation', async (_name, aggregation, additions) => {
    const c: LearnConfig = { ...config, aggregation, ...additions };
    const rows = (await learnRows(5, 3)).slice(0, 6);
    const native = new Native();
    const { dualClip, klCoefficient } = c;
    const held = klCoefficient === undefined ? undefined : (await loadCheckpoint(fresh)).weights;
    const variant = {
      ...PLAIN_VARIANT,
      accumulates: true,
      dualClip: dualClip !== undefined,
      reference: held !== undefined,
    };
    const program = new GradientProgram(native, spec, variant);
    const lossOf = (model: Weights): number => referenceLoss(spec, model, rows, c, held);
    const names = parameterShapes(spec);
    const parameters = names.map(({ name, shape }) =>
      native.create(Float32Array.from((weights.get(name) as Matrix).data), shape),
    );
    const zeros = names.map(({ shape }) =>
      native.create(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
    );
    const added = variant.dualClip || variant.reference ? [dualClip ?? 0, klCoefficient ?? 0] : [];
    const settings = native.create(
      Float32Array.of(c.clipLow, c.clipHigh, c.entropyCoefficient, 1, ...added),
      [4 + added.length],
    );
    const tokens = rows.reduce((sum, row) => sum + row.completion.length, 0);
    const w = rows.map((row) =>
      aggregation === 'token' ? 1 / tokens : 1 / (rows.length * row.completion.length),
    );
    const batch = microbatchTensors(native, spec, rows, w, settings);
    const score = new ScoreProgram(native, spec);
    const heldParameters = names.map(({ name, shape }) =>
      native.create(Float32Array.from(((held ?? weights).get(name) as Matrix).data), shape),
    );
    const referenceLogProbs = score.run(heldParameters, batch);
    const { gradients, sums } = await program.run(
      native,
      parameters,
      held === undefined ? batch : { ...batch, referenceLogProbs },
      zeros,
    );
    expect(sums.clipped).toBeGreaterThan(0);
    expect(sums.loss).toBeCloseTo(lossOf(weights), 5);
    const plainLoss = referenceLoss(spec, weights, rows, { ...config, aggregation });
    // Each addition tells on these rows, twenty times what the losses may differ by.
    if (added.length > 0) expect(Math.abs(sums.loss - plainLoss)).toBeGreaterThan(1e-4);
    const scores = await native.read(referenceLogProbs);
    rows
      .flatMap((row) => referenceSteps(spec, held ?? weights, row))
      .forEach(({ logProbs, token }, i) => expect(scores[i]).toBeCloseTo(logProbs[token] ?? Number.NaN, 4));

    const random = new Random(17);
    for (const [i, { name }] of names.entries()) {
      const gradient = (await native.read(gradients[i] as { id: number; shape: number[] })) as Float32Array;
      const scale = Math.sqrt(gradient.reduce((sum, v) => sum + v * v, 0) / gradient.length);
      for (let k = 0; k < 3; k++) {
        const at = random.below(gradient.length);
        const moved = (step: number): Weights => {
          const data = Float64Array.from((weights.get(name) as Matrix).data);
          data[at]! += step;
          return new Map([...weights, [name, { shape: (weights.get(name) as Matrix).shape, data }]]);
        };
        const h = 1e-5;
        const difference = (lossOf(moved(h)) - lossOf(moved(-h))) / (2 * h);
        expect(Math.abs(difference - (gradient[at] ?? Number.NaN)), `${name}[${at}]`).toBeLessThan(
          2e-3 * Math.abs(difference) + 1e-3 * scale + 1e-7,
        );
      }
    }
    program.dispose();
    score.dispose();
  });

  it('holds the policy to the reference, and says how far it went', async () => {
    const rows = await learnRows(12, 11);
    const c = { ...config, minibatches: 1 };
    const held = { ...c, klCoefficient: 0.5 };
    const at = (name: string): string => path.join(folder, name);
    const plain = await engine.learn(taught, rows, c, at('not-held'));
    const result = await engine.learn(taught, rows, held, at('held'), { reference: fresh });
    const away = referenceLoss(spec, weights, rows, held, (await loadCheckpoint(fresh)).weights);
    expect(result.statistics.loss).toBeCloseTo(away, 4);
    const { groups, tokens } = result.statistics;
    const divergence =
      Object.values(groups).reduce((sum, g) => sum + (g.referenceKl ?? 0) * g.tokens, 0) / tokens;
    expect(0.5 * divergence).toBeCloseTo(result.statistics.loss - plain.statistics.loss, 4);
    expect(Object.values(plain.statistics.groups).every((g) => g.referenceKl === undefined)).toBe(true);
    // The policy that is its own reference has nothing to go back to: the same step but for rounding.
    const self = await engine.learn(taught, rows, held, at('held-to-itself'), { reference: taught });
    expect(self.statistics.gradNorm).toBeCloseTo(plain.statistics.gradNorm, 4);
    expect(self.checkpoint.digest).not.toBe(plain.checkpoint.digest);
    // A call that was interrupted and made again, and one with another reference.
    const again = await engine.learn(taught, rows, held, at('held'), { reference: fresh });
    expect(again.checkpoint).toEqual(result.checkpoint);
  });

  it('refuses a divergence without a reference, and a reference without one', async () => {
    const rows = await learnRows(3, 12);
    const at = path.join(folder, 'refused');
    await expect(engine.learn(taught, rows, { ...config, klCoefficient: 0.5 }, at)).rejects.toThrow(
      /klCoefficient is 0\.5 and reference is missing/,
    );
    await expect(engine.learn(taught, rows, config, at, { reference: fresh })).rejects.toThrow(
      /reference is checkpoint 0 without klCoefficient/,
    );
    await expect(engine.learn(taught, rows, { ...config, dualClip: 0.9 }, at)).rejects.toThrow(
      /dualClip is 0\.9; accepted are numbers above 1/,
    );
  });

  it.each([
    ['all parameters at once', { group: 2 ** 30, block: 2000 }, true],
    ['in place, a few at a time, large ones by rows', { group: 2000, block: 700 }, true],
    ['into new tensors, a few at a time', { group: 2000, block: 700 }, false],
  ])('AdamW as PyTorch states it, after clipping by global norm, %s', async (_name, bytes, consumed) => {
    const native = new Native();
    const before = native.tensors;
    const update = new Update(native, spec, bytes);
    const random = new Random(23);
    const shapes = parameterShapes(spec);
    const sizes = shapes.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    const draw = (scale: number): Float64Array[] =>
      sizes.map((size) => Float64Array.from({ length: size }, () => scale * (random.uniform() - 0.5)));
    const [p, m, v] = [draw(1), sizes.map((n) => new Float64Array(n)), sizes.map((n) => new Float64Array(n))];
    const upload = (values: readonly Float64Array[]): { id: number; shape: readonly number[] }[] =>
      values.map((data, i) => native.create(Float32Array.from(data), shapes[i]?.shape ?? []));
    let state: ModelTensors = { parameters: upload(p), first: upload(m), second: upload(v) };
    const settings = { ...config, learningRate: 0.01, weightDecay: 0.1, epsilon: 1e-4, maxGradNorm: 0.7 };
    for (let step = 1; step <= 4; step++) {
      const g = draw(step === 2 ? 1e-6 : 1);
      const norm = Math.sqrt(g.reduce((sum, part) => sum + part.reduce((s, x) => s + x * x, 0), 0));
      const gradients = upload(g);
      const gradNorm = await update.norm(gradients);
      expect(gradNorm / norm).toBeCloseTo(1, 4);
      const release = (tensors: readonly NativeTensor[]): void => native.delete(...tensors);
      const read = async (tensor: NativeTensor): Promise<number[]> => Array.from(await native.read(tensor));
      const old = await Promise.all(tensorsOf(state).map(read));
      const result = update.run(state, gradients, gradNorm, settings, step, {
        gradients: release,
        ...(consumed ? { model: release } : {}),
      });
      if (!consumed) {
        expect(await Promise.all(tensorsOf(state).map(read))).toEqual(old);
        release(tensorsOf(state));
      }
      expect(native.tensors - before).toBe(3 * shapes.length);
      expect(result.parameters.map(({ shape }) => shape)).toEqual(shapes.map(({ shape }) => shape));
      const clip = Math.min(1, settings.maxGradNorm / (norm + 1e-6));
      const [b1, b2] = settings.betas;
      p.forEach((values, i) =>
        values.forEach((value, k) => {
          const gradient = (g[i]?.[k] ?? 0) * clip;
          m[i]![k] = b1 * m[i]![k]! + (1 - b1) * gradient;
          v[i]![k] = b2 * v[i]![k]! + (1 - b2) * gradient * gradient;
          const denominator = Math.sqrt(v[i]![k]) / Math.sqrt(1 - b2 ** step) + settings.epsilon;
          values[k] =
            value * (1 - settings.learningRate * settings.weightDecay) -
            (settings.learningRate / (1 - b1 ** step)) * (m[i]![k] / denominator);
        }),
      );
      state = result;
      for (const [i, tensor] of result.parameters.entries())
        (await native.read(tensor)).forEach((value, k) =>
          expect(Math.abs(value - p[i]![k]!)).toBeLessThan(2e-6),
        );
    }
    native.delete(...tensorsOf(state));
    update.dispose();
  });

  it('does not depend on how rows are cut into microbatches', async () => {
    const rows = await learnRows(20, 4);
    const learn = async (microbatchRows: number): Promise<{ gradNorm: number; ref: CheckpointRef }> => {
      const at = path.join(folder, `micro-${microbatchRows}`);
      const result = await engine.learn(taught, rows, { ...config, microbatchRows }, at);
      return { gradNorm: result.statistics.gradNorm, ref: result.checkpoint };
    };
    const [few, many] = [await learn(3), await learn(500)];
    expect(few.gradNorm).toBeCloseTo(many.gradNorm, 5);
    const [a, b] = [(await loadCheckpoint(few.ref)).first, (await loadCheckpoint(many.ref)).first];
    for (const [name, { data }] of a)
      data.forEach((value, i) =>
        expect(Math.abs(value - (b.get(name)?.data[i] ?? Number.NaN))).toBeLessThan(1e-6),
      );
  });

  it('computes activations again where it is told to, for the same step', async () => {
    const rows = await learnRows(12, 6);
    const learn = async (recompute: boolean): Promise<Checkpoint> => {
      const at = path.join(folder, `recompute-${recompute}`);
      return loadCheckpoint((await engine.learn(taught, rows, { ...config, recompute }, at)).checkpoint);
    };
    const [kept, again] = [await learn(false), await learn(true)];
    for (const [name, { data }] of kept.weights)
      data.forEach((value, i) =>
        expect(Math.abs(value - (again.weights.get(name)?.data[i] ?? Number.NaN)), name).toBeLessThan(1e-6),
      );
  });

  it('says what happened, by group', async () => {
    const rows = await learnRows(20, 5);
    const whole = { ...config, minibatches: 1 };
    const { statistics } = await engine.learn(taught, rows, whole, path.join(folder, 'statistics'));
    const tokens = rows.reduce((sum, row) => sum + row.completion.length, 0);
    expect(statistics.rows).toBe(rows.length);
    expect(statistics.tokens).toBe(tokens);
    expect(statistics.loss).toBeCloseTo(referenceLoss(spec, weights, rows, whole), 5);
    const groups = Object.values(statistics.groups);
    expect(groups.reduce((sum, group) => sum + group.rows, 0)).toBe(rows.length);
    expect(groups.reduce((sum, group) => sum + group.entropy * group.tokens, 0) / tokens).toBeCloseTo(
      statistics.entropy,
      6,
    );
    const policyLoss = groups.reduce((sum, group) => sum + group.loss * group.tokens, 0) / tokens;
    expect(policyLoss - config.entropyCoefficient * statistics.entropy).toBeCloseTo(statistics.loss, 5);
    expect(statistics.approxKl).toBeGreaterThan(0);
    expect(statistics.clipFraction).toBeGreaterThan(0);
    expect(statistics.clipFraction).toBeLessThan(1);
  });

  it('takes its mean over tokens, over rows of their means, or over the tokens of each group', async () => {
    const rows = await learnRows(20, 5);
    const losses = await Promise.all(
      AGGREGATIONS.map(async (aggregation) => {
        const whole = { ...config, minibatches: 1, aggregation };
        const { statistics } = await engine.learn(taught, rows, whole, path.join(folder, aggregation));
        expect(statistics.loss).toBeCloseTo(referenceLoss(spec, weights, rows, whole), 5);
        return statistics.loss;
      }),
    );
    const [token = 0, sequence = 0, group = 0] = losses;
    for (const [a, b] of [
      [token, sequence],
      [token, group],
      [sequence, group],
    ] as const)
      expect(Math.abs(a - b)).toBeGreaterThan(1e-4);
  });

  it('has the gradient and the metrics of the full batch, whatever the microbatches', async () => {
    const native = new Native();
    const rows = await learnRows(23, 13);
    const learner = new Learner(native, spec);
    const parametersOf = (): NativeTensor[] =>
      parameterShapes(spec).map(({ name, shape }) =>
        native.create(Float32Array.from((weights.get(name) as Matrix).data), shape),
      );
    // The first moment of one step from nothing, (1 - beta) times the gradient, is what tells of the gradient.
    const stepOf = async (
      microbatchRows: number,
      aggregation: LearnConfig['aggregation'],
    ): Promise<{ totals: StepTotals; gradient: Float64Array }> => {
      const totals = newTotals();
      const c = { ...config, microbatchRows, aggregation, maxGradNorm: 0 };
      const model = freshModel(native, spec, { parameters: parametersOf() });
      const next = await learner.step(model, rows, c, 'policy', 1, totals, { consume: true });
      const moments = await Promise.all(next.first.map((tensor) => native.read(tensor)));
      const gradient = Float64Array.from(
        moments.flatMap((values) => [...values]),
        (m) => 10 * m,
      );
      native.delete(...tensorsOf(next));
      return { totals, gradient };
    };
    for (const aggregation of AGGREGATIONS) {
      const whole = await stepOf(1000, aggregation);
      const norm = Math.hypot(...whole.gradient);
      for (const microbatchRows of [1, 3, 7, 16]) {
        const cut = await stepOf(microbatchRows, aggregation);
        const off = Math.hypot(...cut.gradient.map((g, i) => g - (whole.gradient[i] ?? Number.NaN)));
        expect(off / norm).toBeLessThan(1e-6);
        for (const key of ['loss', 'gradNorm', 'approxKl'] as const)
          expect(Math.abs(cut.totals[key] - whole.totals[key])).toBeLessThan(
            1e-6 * (1 + Math.abs(whole.totals[key])),
          );
        for (const key of ['clipped', 'tokens', 'rows'] as const)
          expect(cut.totals[key]).toBe(whole.totals[key]);
      }
    }
    learner.dispose();
  });

  it('makes what is rewarded more likely', async () => {
    const base = await learnRows(20, 6);
    const rows = base.map((row, i) => ({ ...row, advantage: i % 2 === 0 ? 1 : -1 }));
    const { checkpoint } = await engine.learn(taught, rows, config, path.join(folder, 'rewarded'));
    const after = (await loadCheckpoint(checkpoint)).weights;
    const likelihood = (model: Weights, sign: number): number =>
      rows
        .filter(({ advantage }) => advantage === sign)
        .reduce(
          (sum, row) =>
            sum + referenceSteps(spec, model, row).reduce((s, x) => s + (x.logProbs[x.token] ?? 0), 0),
          0,
        );
    expect(likelihood(after, 1) - likelihood(after, -1)).toBeGreaterThan(
      likelihood(weights, 1) - likelihood(weights, -1),
    );
  });

  it('refuses a step whose gradient is not finite, and goes on working', async () => {
    const rows = (await learnRows(5, 7)).map((row) => ({
      ...row,
      logProbs: row.logProbs.map(() => -200),
      advantage: -1,
    }));
    const before = engine.tensors;
    await expect(engine.learn(taught, rows, config, path.join(folder, 'infinite'))).rejects.toThrow(
      /is not taken/,
    );
    expect(engine.tensors).toBe(before);
  });
});

describe('checkpoints', () => {
  it('resumes bit for bit, and a retried step gives the same checkpoint', async () => {
    const rows = await learnRows(10, 8);
    const first = (await engine.learn(taught, rows, config, path.join(folder, 'v1'))).checkpoint;
    const second = (await engine.learn(first, rows, config, path.join(folder, 'v2'))).checkpoint;
    const again = (await engine.learn(first, rows, config, path.join(folder, 'v2'))).checkpoint;
    expect(again).toEqual(second);
    const other = new TensorflowEngine(1);
    const resumed = (await other.learn(first, rows, config, path.join(folder, 'v2-resumed'))).checkpoint;
    expect(resumed.digest).toBe(second.digest);
    expect(resumed.version).toBe(2);
    await other.close();
  });

  it('names the damaged file', async () => {
    const rows = await learnRows(5, 9);
    const at = path.join(folder, 'damaged');
    const { checkpoint } = await engine.learn(taught, rows, config, at);
    const file = path.join(at, 'model.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 2]! ^= 1;
    await writeFile(file, bytes);
    const other = new TensorflowEngine(1);
    await expect(other.sample(checkpoint, requestsOf(1))).rejects.toThrow(/model\.safetensors is damaged/);
    await other.close();
  });
});

describe('memory', () => {
  it('holds no more tensors and no more memory after 2,000 small steps', async () => {
    const tiny = tinySpec({ layers: 1, width: 8, heads: 2, hidden: 8, context: 96 });
    const own = new TensorflowEngine(1);
    const base = await own.initialise(tiny, 1, path.join(folder, 'small'));
    const rows = warmUpRows(1, 4, mix);
    const marks: number[] = [];
    await own.imitate(
      base,
      Array.from({ length: 2000 }, () => rows),
      { ...config, minibatches: 1 },
      path.join(folder, 'small-taught'),
      { onProgress: (step) => step % 500 === 0 && marks.push(process.memoryUsage().rss / 1e6) },
    );
    const before = own.tensors;
    const requests = requestsOf(4);
    for (let i = 0; i < 30; i++) await own.sample(base, requests);
    expect(own.tensors).toBe(before);
    expect((marks[3] ?? Infinity) - (marks[0] ?? 0)).toBeLessThan(60);
    await own.close();
  });
});
