/**
 * Both modes over the same recorded iteration: where they part, and that they part nowhere else. The iteration is that
 * of tests/support/synthetic-run.ts, with one long wrong answer, so that it matters how length is weighed.
 */
import { describe, expect, it } from 'vitest';
import type { AzrEvent, EventDataByType, EventType } from '../../../schemas/generated/events.js';
import { drawsOwnTasks, planGroups } from '../../../src/activities/plan-solving.js';
import { bufferFactOf, foldFacts } from '../../../src/buffer/buffer-facts.js';
import { emptyBuffer, type TaskBuffer } from '../../../src/buffer/task-buffer.js';
import { leaves } from '../../../src/config/key-paths.js';
import { MODE_SWITCHES } from '../../../src/config/modes.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import type { RunConfig } from '../../../src/config/run.js';
import { learnConfig } from '../../../src/learner/learn-inputs.js';
import { learnerBatch, learnerBatchSettings } from '../../../src/learner/learner-batch.js';
import { iterationRewards, type IterationFacts } from '../../../src/reward/iteration-rewards.js';
import { iterationEvents } from '../../support/synthetic-run.js';

const paper = await resolveRunConfig('7b', [], 'paper');
const published = await resolveRunConfig('7b', [], 'published');
/** Recorded once: both modes read these. */
const iterations = [1, 2].map((iteration) => iterationEvents('recorded', iteration, paper, {}));

const of = <T extends EventType>(events: readonly AzrEvent[], type: T): EventDataByType[T][] =>
  events.flatMap((event) => (event.type === type ? [event.data as EventDataByType[T]] : []));

function recorded(): IterationFacts {
  const events = iterations[0] ?? [];
  return {
    proposals: of(events, 'ProposalSampled'),
    accepted: of(events, 'TaskAccepted'),
    rejected: of(events, 'TaskRejected'),
    solutions: of(events, 'SolutionSampled').map((group) => ({
      ...group,
      attempts: group.attempts.map((attempt) =>
        attempt.formatOk
          ? attempt
          : { ...attempt, completionTokens: [1, 2, 3, 4, 5, 6], logProbs: [-1, -1, -1, -1, -1, -1] },
      ),
    })),
    verdicts: of(events, 'SolutionVerified'),
    intrinsics: of(events, 'IntrinsicsMeasured'),
  };
}

const batchOf = (config: RunConfig): ReturnType<typeof learnerBatch> =>
  learnerBatch(
    recorded(),
    iterationRewards(recorded(), config.reward).rewards,
    learnerBatchSettings(config, 1),
  );

function bufferOf({ buffer, reward }: RunConfig, maxTasks: number): TaskBuffer {
  const folded = emptyBuffer();
  const { keep } = buffer;
  const { validProgramFilter, induction } = reward;
  const facts = iterations.flat().flatMap((event) => bufferFactOf(event) ?? []);
  foldFacts(folded, facts, { maxTasks, keep, validProgramFilter, induction });
  return folded;
}

describe('the modes paper and published', () => {
  it('have switches for the same keys, and differ in each', () => {
    const keys = Object.keys(MODE_SWITCHES.paper);
    expect(Object.keys(MODE_SWITCHES.published)).toEqual(keys);
    for (const key of keys) expect(MODE_SWITCHES.published[key]).not.toEqual(MODE_SWITCHES.paper[key]);
    const [a, b] = [new Map(leaves(paper.config)), new Map(leaves(published.config))];
    expect(
      [...a.keys()].filter((key) => a.get(key) !== b.get(key) && !Array.isArray(a.get(key))).sort(),
    ).toEqual([...keys].sort());
  });

  it('yield to the keys of the preset and to --set', async () => {
    const tiny = await resolveRunConfig('tiny', ['buffer.keep=reservoir'], 'published');
    expect(tiny.config.learner.clipHigh).toBe(0.28);
    expect(tiny.config.learner.advantage).toBe('grpo');
    expect(tiny.config.learner.entropyCoefficient).toBe(0.02);
    expect(tiny.config.buffer.keep).toBe('reservoir');
    const viaSet = await resolveRunConfig('7b', ['mode=published']);
    expect(viaSet.hash).toBe(published.hash);
    expect((await resolveRunConfig('7b')).hash).toBe(paper.hash);
    await expect(resolveRunConfig('7b', [], 'papr')).rejects.toThrow(
      /--mode is "papr"; accepted are paper, published/,
    );
  });

  it('give the same rewards', () => {
    expect(iterationRewards(recorded(), published.config.reward)).toEqual(
      iterationRewards(recorded(), paper.config.reward),
    );
  });

  it('learn from the same rows with other advantages: published weighs answers by their length', () => {
    const [a, b] = [batchOf(paper.config), batchOf(published.config)];
    const without = ({ samples }: typeof a): unknown =>
      samples.map(({ advantage: _advantage, ...row }) => row);
    expect(without(b)).toEqual(without(a));

    const abduction = ({ samples }: typeof a): number[][] =>
      samples
        .filter(({ role, kind }) => role === 'solve' && kind === 'abduction')
        .map(({ reward, completionTokens, advantage }) => [reward, completionTokens.length, advantage]);
    // Paper: mean 0, deviation sqrt(2) over two answers.
    expect(abduction(a)).toEqual([
      [1, 2, expect.closeTo(1 / Math.SQRT2, 6)],
      [-1, 6, expect.closeTo(-1 / Math.SQRT2, 6)],
    ]);
    // Published: over eight tokens the mean is -1/2 and the variance (2 * 1.5^2 + 6 * 0.5^2) / 7.
    expect(abduction(b)).toEqual([
      [1, 2, expect.closeTo(1.5 / Math.sqrt(6 / 7), 6)],
      [-1, 6, expect.closeTo(-0.5 / Math.sqrt(6 / 7), 6)],
    ]);
  });

  it('learn with another clip, entropy bonus and weight decay, and nothing else', () => {
    const [a, b] = [learnConfig(paper.config, 1), learnConfig(published.config, 1)];
    const differences = Object.fromEntries(
      [...new Set([...Object.keys(a), ...Object.keys(b)])]
        .map((key) => [key, [a[key as keyof typeof a], b[key as keyof typeof b]]] as const)
        .filter(([, [left, right]]) => JSON.stringify(left) !== JSON.stringify(right)),
    );
    expect(differences).toEqual({
      clipHigh: [0.2, 0.28],
      dualClip: [undefined, 3],
      entropyCoefficient: [0.001, 0],
      weightDecay: [0.01, 0],
    });
  });

  it('hold the same tasks until the buffer is full; then paper drops the oldest, published what comes', () => {
    const kept = ({ config }: typeof paper, maxTasks: number): number[] =>
      bufferOf(config, maxTasks).tasks.deduction.map(({ iteration }) => iteration);
    expect(kept(paper, 4)).toEqual([1, 1, 2, 2]);
    expect(kept(published, 4)).toEqual([1, 1, 2, 2]);
    expect(kept(paper, 2)).toEqual([2, 2]);
    expect(kept(published, 2)).toEqual([1, 1]);
  });

  it('draw the same way, paper from the iteration that is under way, published from the one before', () => {
    const newTasks = ({ config }: typeof paper): Set<number> => {
      const whole = bufferOf(config, 16);
      const mine = whole.tasks.deduction.filter(({ iteration }) => drawsOwnTasks(config) || iteration < 2);
      const seen = { ...whole, tasks: { ...whole.tasks, deduction: mine } };
      const short = { ...config, solve: { ...config.solve, batch: 2 } };
      const prompt = { text: null, tokens: [1], maxTokens: 1 };
      const place = { run: { runId: 'recorded' }, iteration: 2 };
      return new Set(
        planGroups(place, short, [], seen, () => prompt)
          .filter(({ task }) => task.kind === 'deduction')
          .map(({ task }) => whole.byId.get(task.taskId)?.iteration ?? NaN),
      );
    };
    expect(newTasks(paper)).toEqual(new Set([2]));
    expect(newTasks(published)).toEqual(new Set([1]));
  });
});
