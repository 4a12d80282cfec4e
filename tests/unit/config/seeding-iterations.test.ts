import { describe, expect, it } from 'vitest';
import { planProposals } from '../../../src/activities/plan-proposals.js';
import { bufferPolicy } from '../../../src/activities/buffer-view.js';
import { emptyBuffer, acceptTask } from '../../../src/buffer/task-buffer.js';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { proposedKinds } from '../../../src/config/seeding-iterations.js';
import { learnConfig } from '../../../src/learner/learn-inputs.js';
import { tinyCodec } from '../../../src/policy/tiny/codec.js';

const configWith = async (iterations: number) =>
  (await resolveRunConfig('tiny', [`schedule.seedingIterations=${iterations}`])).config;

describe('iterations that only fill the buffer', () => {
  it('leave the policy as it is: their learning rate is 0', async () => {
    const config = await configWith(3);
    const rates = [1, 2, 3, 4, 5].map((iteration) => learnConfig(config, iteration).learningRate);
    const { learningRate } = config.learner.optimiser;
    expect(rates).toEqual([0, 0, 0, learningRate, learningRate]);
    expect(learningRate).toBeGreaterThan(0);
  });

  it('propose no induction while the buffer has only what was planted', async () => {
    const config = await configWith(3);
    expect([1, 2, 4].map((iteration) => proposedKinds(config, iteration))).toEqual([
      ['deduction', 'abduction'],
      ['deduction', 'abduction', 'induction'],
      ['deduction', 'abduction', 'induction'],
    ]);
    const buffer = emptyBuffer();
    acceptTask(
      buffer,
      {
        taskId: 'seed',
        kind: 'deduction',
        code: 'def f(x):\n    x = x[::-1]\n    return x',
        originalCode: '',
        inputs: ['[1, 2, 3]'],
        outputs: ['[3, 2, 1]'],
        message: null,
        iteration: 0,
      },
      bufferPolicy(config),
    );
    const kindsOf = (iteration: number): Set<string> =>
      new Set(
        planProposals({ run: { runId: 'r' }, iteration }, config, buffer, (...asked) =>
          tinyCodec.proposePrompt(...asked),
        ).map(({ kind }) => kind),
      );
    expect(kindsOf(1)).toEqual(new Set(['deduction', 'abduction']));
    expect(kindsOf(2)).toEqual(new Set(['deduction', 'abduction', 'induction']));
  });

  it('are none by default', async () => {
    const config = await configWith(0);
    expect(proposedKinds(config, 1)).toContain('induction');
    expect(learnConfig(config, 1).learningRate).toBe(config.learner.optimiser.learningRate);
  });
});
