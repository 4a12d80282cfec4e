/**
 * What the engine holds on to over many learner steps and sampling rounds whose shapes change all the time.
 *
 * AZR_MEMORY_STEPS=2000 npx vitest run --project integration tests/integration/engine-memory.test.ts runs it at length and
 * prints what it saw.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Learner } from '../../src/policy/engine/learner.js';
import { freshModel, initialModel, tensorsOf, type ModelTensors } from '../../src/policy/engine/model.js';
import { Native } from '../../src/policy/engine/native.js';
import { parameterShapes } from '../../src/policy/engine/parameters.js';
import { Sampler } from '../../src/policy/engine/sampler.js';
import { newTotals } from '../../src/policy/engine/statistics.js';
import type { LearnConfig, LearnRow, ModelSpec } from '../../src/policy/port.js';
import { Random } from '../../src/random.js';

const STEPS = Number(process.env['AZR_MEMORY_STEPS'] ?? '160');

const spec: ModelSpec = {
  vocabulary: 60,
  layers: 2,
  width: 16,
  heads: 4,
  keyValueHeads: 2,
  hidden: 24,
  context: 256,
  attentionBias: true,
  rotaryInGraph: true,
  padToken: 0,
  endToken: 1,
};
const config: LearnConfig = {
  learningRate: 1e-4,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.2,
  entropyCoefficient: 0.01,
  minibatches: 1,
  microbatchRows: 8,
  aggregation: 'token',
  shuffleSeed: 1,
};

let native: Native;
let model: ModelTensors;
beforeAll(() => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  native = new Native();
  const { weights } = initialModel(spec, 1);
  const parameters = parameterShapes(spec).map(({ name, shape }) =>
    native.create(weights.get(name)?.data as Float32Array, shape),
  );
  model = freshModel(native, spec, { parameters });
});

const random = new Random(4);
const tokens = (count: number): number[] => Array.from({ length: count }, () => 2 + random.below(58));

/** 1 to 9 rows of 2 to 121 tokens. */
function rows(): LearnRow[] {
  return Array.from({ length: 1 + random.below(9) }, (_, i) => {
    const completion = tokens(1 + random.below(60));
    const logProbs = completion.map(() => -4);
    return {
      id: `${i}`,
      group: 'g',
      prompt: tokens(1 + random.below(60)),
      completion,
      logProbs,
      advantage: 1 - i,
    };
  });
}

interface Mark {
  readonly tensors: number;
  readonly programs: number;
  readonly megabytes: number;
}

/** What is held at the begin of each tenth, and at the end. */
async function watched(name: string, round: (i: number) => Promise<unknown>): Promise<Mark[]> {
  const marks: Mark[] = [];
  const mark = (): void => {
    marks.push({
      tensors: native.tensors,
      programs: native.programs,
      megabytes: Math.round(process.memoryUsage().rss / 1e5) / 10,
    });
  };
  for (let i = 0; i < STEPS; i++) {
    if (i % Math.ceil(STEPS / 10) === 0) mark();
    await round(i);
  }
  mark();
  if (process.env['AZR_MEMORY_STEPS'] !== undefined)
    process.stdout.write(`${name}, ${STEPS} rounds: ${JSON.stringify(marks)}\n`);
  return marks;
}

function expectNoGrowth(marks: readonly Mark[]): void {
  // By the second tenth every kind of graph has been met.
  const [, second, third] = marks as [Mark, Mark, Mark];
  const last = marks.at(-1) as Mark;
  expect(last.tensors).toBe(second.tensors);
  expect(last.programs).toBe(second.programs);
  // The allocator's arenas fill in the first 200 rounds, by some 390 MB here. Afterwards a forgotten 25 KB a round show.
  if (STEPS >= 1000) expect(last.megabytes - third.megabytes).toBeLessThan(40);
}

describe('changing shapes', () => {
  it('leave nothing behind in the learner, whose graphs are as many as kinds of losses were asked for', async () => {
    const before = native.programs;
    const learner = new Learner(native, spec);
    const marks = await watched('learner', async (i) => {
      const kind = { ...config, ...(i % 3 === 1 ? { recompute: true } : i % 3 === 2 ? { dualClip: 3 } : {}) };
      const sized = { ...kind, microbatchRows: 1 + random.below(6) };
      model = await learner.step(model, rows(), sized, 'policy', i + 1, newTotals(), { consume: true });
    });
    expectNoGrowth(marks);
    // Three losses, each for the first microbatch and for those that add to it; the norm; the update, one group.
    expect(marks.at(-1)?.programs).toBe(before + 8);
    learner.dispose();
    expect(native.programs).toBe(before);
  });

  it('leave nothing behind in the sampler, which has six graphs', async () => {
    const before = native.programs;
    const sampler = new Sampler(native, spec);
    const marks = await watched('sampler', (i) =>
      sampler.sample(
        model.parameters,
        Array.from({ length: 1 + random.below(12) }, (_, k) => ({
          id: `${k}`,
          prompt: tokens(1 + random.below(80)),
          seed: 100 * i + k,
          temperature: k % 4 === 0 ? 0 : 1,
          maxTokens: 1 + random.below(40),
          ...(i % 2 === 0 ? { topP: 0.9 } : {}),
        })),
      ),
    );
    expectNoGrowth(marks);
    // Prefill, output, arrange, join, decode without truncation and with it.
    expect(marks.at(-1)?.programs).toBe(before + 6);
    sampler.dispose();
    expect(native.programs).toBe(before);
    native.delete(...tensorsOf(model));
    expect(native.tensors).toBe(0);
  });
});
