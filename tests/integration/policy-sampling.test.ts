/** What a request may ask of the sampler, and that nothing of how requests are batched shows in a sample. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Graph } from '../../src/policy/engine/graph.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { Operations } from '../../src/policy/engine/operations.js';
import { initialValues, parameterShapes } from '../../src/policy/engine/parameters.js';
import { Sampler } from '../../src/policy/engine/sampler.js';
import { samplingBudget, type SamplingBudget } from '../../src/policy/engine/sampling-budget.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { truncated } from '../../src/policy/engine/truncation.js';
import { createPolicyEngine } from '../../src/policy/index.js';
import type { ModelSpec, Sample, SampleRequest, TokenTexts } from '../../src/policy/port.js';
import { Random } from '../../src/random.js';

const spec: ModelSpec = {
  vocabulary: 40,
  layers: 2,
  width: 16,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 6,
  hidden: 24,
  context: 200,
  padToken: 0,
  endToken: 1,
  moreEndTokens: [2],
};
/** Token i is the letter a + i mod 26, and a bar behind from 26 on. */
const texts: TokenTexts = (() => {
  const tokens = Array.from({ length: spec.vocabulary }, (_, i) =>
    Buffer.from(String.fromCharCode(97 + (i % 26)) + (i >= 26 ? '|' : '')),
  );
  let end = 0;
  return { bytes: Buffer.concat(tokens), ends: Int32Array.from(tokens, ({ length }) => (end += length)) };
})();
const textOf = ({ tokens }: Pick<Sample, 'tokens'>): string =>
  tokens.map((t) => String.fromCharCode(97 + (t % 26)) + (t >= 26 ? '|' : '')).join('');

let native: Native;
let parameters: NativeTensor[];
let sampler: Sampler;

beforeAll(() => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  native = new Native();
  const values = initialValues(spec, 11);
  // Sharper than at the start of training, so that tokens differ in probability.
  parameters = parameterShapes(spec).map(({ name, shape }) =>
    native.create(
      (values.get(name) ?? new Float32Array()).map((v) => (name.includes('norm') ? v : 3 * v)),
      shape,
    ),
  );
  sampler = new Sampler(native, spec);
});

/** Prompts of many lengths, most of them asked several times. */
function requestsOf(prompts: number, over: Partial<SampleRequest> = {}): SampleRequest[] {
  const random = new Random(5);
  return Array.from({ length: prompts }, (_, i) => ({
    prompt: Array.from({ length: 1 + random.below(30) }, () => 3 + random.below(spec.vocabulary - 3)),
    times: [1, 8, 3][i % 3] ?? 1,
  })).flatMap(({ prompt, times }, i) =>
    Array.from({ length: times }, (_, k) => ({
      id: `${i}.${k}`,
      prompt,
      seed: 1000 * i + k,
      temperature: 1,
      maxTokens: 1 + random.below(40),
      ...over,
    })),
  );
}

describe('batches', () => {
  const budgets: Readonly<Record<string, Partial<SamplingBudget>>> = {
    'three rows, one turn': { rows: () => 3, turns: () => 1 },
    'twenty rows, prompts five tokens at a time': { rows: () => 20, chunk: () => 5 },
    'seven turns, prompts token by token': { turns: () => 7, chunk: () => 1 },
  };
  it.each(Object.entries(budgets))('of %s give the same samples', async (_name, budget) => {
    const requests = requestsOf(24);
    const whole = await sampler.sample(parameters, requests);
    const before = native.tensors;
    const other = new Sampler(native, spec, { ...samplingBudget(spec), ...budget });
    const cut = await other.sample(parameters, requests);
    other.dispose();
    expect(native.tensors).toBe(before);
    expect(cut.map(({ id }) => id)).toEqual(requests.map(({ id }) => id));
    expect(cut.map(({ tokens, finish }) => [tokens, finish])).toEqual(
      whole.map(({ tokens, finish }) => [tokens, finish]),
    );
    cut.forEach(({ logProbs }, i) =>
      logProbs.forEach((logP, t) => expect(logP).toBeCloseTo(whole[i]?.logProbs[t] ?? Number.NaN, 3)),
    );
  });

  it('have the sizes that memory and time allow', () => {
    const small = samplingBudget(spec);
    expect(small.rows(requestsOf(3))).toBe(512);
    const large = samplingBudget({
      ...spec,
      layers: 30,
      width: 576,
      headWidth: 64,
      hidden: 1536,
      vocabulary: 49_152,
    });
    expect(large.rows([{ ...(requestsOf(1)[0] as SampleRequest), maxTokens: 2000 }])).toBeLessThan(40);
    expect(large.turns(32)).toBe(2);
    expect(large.chunk(1)).toBeLessThan(200);
  });
});

describe('truncation', () => {
  /** Sorting and adding up, as the definitions say. */
  function reference(q: readonly number[], k: number, p: number, minP: number): number[] {
    const order = q.map((_, i) => i).sort((a, b) => (q[b] ?? 0) - (q[a] ?? 0));
    const byRank = order.slice(0, k);
    const mass = byRank.reduce((sum, i) => sum + (q[i] ?? 0), 0);
    let before = 0;
    const nucleus = byRank.filter((i) => {
      const keeps = before < p * mass;
      before += q[i] ?? 0;
      return keeps;
    });
    const most = q[order[0] ?? 0] ?? 0;
    return nucleus.filter((i) => (q[i] ?? 0) >= minP * most).sort((a, b) => a - b);
  }

  it('keeps what its definitions keep', async () => {
    const graph = new Graph();
    const q = graph.placeholder('float');
    const inputs = {
      topK: graph.placeholder('int'),
      topP: graph.placeholder('float'),
      minP: graph.placeholder('float'),
    };
    const n = 12;
    const output = truncated(new Operations(graph), n, q, inputs);
    const program = native.compile(graph, [q, inputs.topK, inputs.topP, inputs.minP], [output]);
    const row = fc.record({
      // Distinct, so that no tie is decided by order; powers of two sum without rounding.
      order: fc.shuffledSubarray(
        Array.from({ length: n }, (_, i) => 2 ** -(i + 1)),
        { minLength: n, maxLength: n },
      ),
      k: fc.integer({ min: 1, max: n }),
      p: fc.double({ min: 0.01, max: 1, noNaN: true }),
      minP: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const made = [
          native.create(Float32Array.from(rows.flatMap(({ order }) => order)), [rows.length, n]),
          native.create(
            Int32Array.from(rows, ({ k }) => k),
            [rows.length],
          ),
          native.create(
            Float32Array.from(rows, ({ p }) => p),
            [rows.length],
          ),
          native.create(
            Float32Array.from(rows, ({ minP }) => minP),
            [rows.length],
          ),
        ];
        const [kept] = program.run(made);
        const values = await native.read(kept as NativeTensor);
        native.delete(...made, kept as NativeTensor);
        rows.forEach(({ order, k, p, minP }, r) => {
          const own = Array.from(values.slice(r * n, (r + 1) * n));
          const places = own.flatMap((v, i) => (v > 0 ? [i] : []));
          expect(places).toEqual(reference(order, k, Math.fround(p), Math.fround(minP)));
          for (const i of places) expect(own[i]).toBe(order[i]);
        });
      }),
      { numRuns: 300 },
    );
    program.dispose();
  });

  it('to one token is greedy, and log-probabilities stay those of the policy', async () => {
    const greedy = await sampler.sample(parameters, requestsOf(6, { temperature: 0 }));
    for (const over of [{ topK: 1 }, { topP: 1e-6 }, { minP: 1 }]) {
      const samples = await sampler.sample(parameters, requestsOf(6, over));
      expect(samples.map(({ tokens }) => tokens)).toEqual(greedy.map(({ tokens }) => tokens));
      samples.forEach(({ logProbs }, i) =>
        logProbs.forEach((logP, t) => expect(logP).toBeCloseTo(greedy[i]?.logProbs[t] ?? Number.NaN, 4)),
      );
    }
  });

  it('of one request leaves its batch mates alone', async () => {
    const plain = await sampler.sample(parameters, requestsOf(6));
    const mixed = requestsOf(6).map((request, i) => (i % 4 === 0 ? { ...request, topK: 2 } : request));
    const samples = await sampler.sample(parameters, mixed);
    samples.forEach(({ tokens }, i) => {
      if (i % 4 !== 0) expect(tokens).toEqual(plain[i]?.tokens);
    });
    expect(samples.some(({ tokens }, i) => tokens.join() !== plain[i]?.tokens.join())).toBe(true);
  });
});

describe('ends', () => {
  it('are any of the end tokens, or none', async () => {
    const samples = await sampler.sample(parameters, requestsOf(24, { maxTokens: 40 }));
    const ends = samples.filter(({ finish }) => finish === 'end').map(({ tokens }) => tokens.at(-1));
    expect(new Set(ends)).toEqual(new Set([1, 2]));
    const endless = await sampler.sample(parameters, requestsOf(24, { maxTokens: 40, ignoreEnd: true }));
    for (const { tokens, finish } of endless) expect([tokens.length, finish]).toEqual([40, 'length']);
    samples.forEach(({ tokens }, i) => expect(endless[i]?.tokens.slice(0, tokens.length)).toEqual(tokens));
  });

  it('are stop strings too, within tokens and across them', async () => {
    const stop = ['z|', 'ab', '|c'];
    const free = await sampler.sample(parameters, requestsOf(24, { maxTokens: 40 }));
    const samples = await sampler.sample(parameters, requestsOf(24, { maxTokens: 40, stop }), {
      tokenTexts: texts,
    });
    let stopped = 0;
    samples.forEach((sample, i) => {
      const whole = free[i] as Sample;
      const met = whole.tokens.findIndex((_, t) => {
        const text = textOf({ tokens: whole.tokens.slice(0, t + 1) });
        return stop.some((s) => text.includes(s));
      });
      const isEnd = met === whole.tokens.length - 1 && whole.finish === 'end';
      if (met < 0 || isEnd) expect(sample.finish).toBe(whole.finish);
      else {
        stopped++;
        expect(sample.finish).toBe('stop');
        expect(textOf(sample)).toContain(sample.stop);
        expect(sample.tokens).toEqual(whole.tokens.slice(0, met + 1));
      }
    });
    expect(stopped).toBeGreaterThan(5);
  });
});

describe('through the engine', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'azr-sampling-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    ['in this process', () => Promise.resolve(new TensorflowEngine(1))],
    ['in its own process', () => createPolicyEngine({ threads: 1 })],
  ])('tokens stream as they come, %s', async (name, make) => {
    const engine = await make();
    try {
      const checkpoint = await engine.initialise(spec, 3, path.join(folder, name));
      const streamed = new Map<string, number[]>();
      const stop = ['ab'];
      const requests = requestsOf(6, { stop });
      let calls = 0;
      const samples = await engine.sample(checkpoint, requests, {
        tokenTexts: texts,
        onTokens: (id, tokens) => {
          calls++;
          streamed.set(id, [...(streamed.get(id) ?? []), ...tokens]);
        },
      });
      expect(calls).toBeGreaterThan(requests.length);
      for (const { id, tokens } of samples) expect(streamed.get(id)).toEqual(tokens);
    } finally {
      await engine.close();
    }
  });

  it('ends soon after it is told to, and serves the next call', async () => {
    const engine = await createPolicyEngine({ threads: 1 });
    try {
      const checkpoint = await engine.initialise(spec, 3, path.join(folder, 'cancelled'));
      const long = requestsOf(90, { maxTokens: 160, ignoreEnd: true });
      const cancel = new AbortController();
      const work = engine.sample(checkpoint, long, {
        signal: cancel.signal,
        onTokens: () => cancel.abort(new Error('no longer wanted')),
      });
      await expect(work).rejects.toThrow('no longer wanted');
      const next = await Promise.race([engine.sample(checkpoint, requestsOf(2)), sleep(20_000, undefined)]);
      expect(next?.length).toBe(9);
    } finally {
      await engine.close();
    }
  });

  it('refuses stop strings without texts, by name', async () => {
    const engine = new TensorflowEngine(1);
    const checkpoint = await engine.initialise(spec, 3, path.join(folder, 'refused'));
    await expect(engine.sample(checkpoint, requestsOf(1, { stop: ['x'] }))).rejects.toThrow(
      /stop of 0.0 is given without tokenTexts/,
    );
    await engine.close();
  });
});
