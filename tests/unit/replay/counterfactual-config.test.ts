import { describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { counterfactualConfig } from '../../../src/replay/counterfactual-config.js';

const { json } = await resolveRunConfig('tiny', [
  ...['policy.model.layers=2', 'propose.batch=64', 'learnability.samples=8'],
  'learner.advantage=trr_plus_plus',
]);
const under = (overrides: readonly string[], more: object = {}) =>
  counterfactualConfig(json, { overrides, ...more });

describe('the configuration of a counterfactual', () => {
  it('tells what is recomputed from what has no effect', () => {
    const { changes, withoutEffect, config } = under([
      'reward.wrong=-0.25',
      'learner.advantage=grpo',
      'learner.clipLow=0.1',
      'schedule.minutes=1',
    ]);
    expect(changes).toEqual([
      { key: 'reward.wrong', recorded: -0.5, value: -0.25 },
      { key: 'learner.advantage', recorded: 'trr_plus_plus', value: 'grpo' },
    ]);
    expect(withoutEffect).toEqual(['learner.clipLow', 'schedule.minutes']);
    expect([config.reward.wrong, config.learner.advantage]).toEqual([-0.25, 'grpo']);
  });

  it('has an id that is the digest of the whole configuration, however it was asked for', () => {
    const { id } = under(['reward.wrong=-0.25']);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(under([], { values: { reward: { wrong: -0.25 } } }).id).toBe(id);
    expect(under(['reward.wrong=-0.3', 'reward.wrong=-0.25']).id).toBe(id);
    expect(under(['reward.wrong=-0.24']).id).not.toBe(id);
  });

  it('takes a mode’s switches but for those that decide what was sampled; keys win over it, --set over keys', () => {
    const { changes, keptAsRecorded } = under([], { mode: 'published' });
    expect(changes.map(({ key, value }) => [key, value])).toEqual([
      ['learner.advantage', 'trr_plus_plus_token_weighted'],
    ]);
    expect(keptAsRecorded).toEqual(['buffer.keep', 'schedule.solverTasks', 'sandbox.policy']);
    const values = { learner: { advantage: 'rloo' } };
    expect(under([], { mode: 'published', values }).config.learner.advantage).toBe('rloo');
    expect(under(['learner.advantage=grpo'], { values }).config.learner.advantage).toBe('grpo');
  });

  it('refuses what decides what was sampled: each key, its values, the reason', () => {
    for (const [override, words] of [
      ['policy.model.layers=3', /policy\.model\.layers is 3 \(recorded 2\) and decides which model sampled/],
      ['propose.batch=8', /propose\.batch is 8 \(recorded 64\) and decides what was proposed/],
      ['solve.mixing=step', /solve\.mixing is "step" .* decides which tasks were tried/],
      ['learnability.samples=4', /decides how many rollouts a proposal had/],
      ['buffer.keep=oldest', /decides which tasks were kept and drawn/],
      ['schedule.solverTasks=last_iteration', /decides which tasks could be drawn/],
      ['sandbox.policy=published', /decides which programs became tasks/],
      ['seed=2', /seed is 2 \(recorded 1\) and decides every draw/],
    ] as const)
      expect(() => under([override, 'reward.wrong=-0.1'])).toThrow(words);
    expect(() => under(['seed=2', 'propose.batch=8'])).toThrow(
      /seed is 2.*; propose\.batch is 8.*Accepted are changes of reward, .*a fork .* samples anew/,
    );
  });

  it('refuses what leaves nothing to recompute, and what is no key', () => {
    expect(() => under([])).toThrow(/nothing is left to recompute: no key differs/);
    expect(() => under(['learner.clipLow=0.1'])).toThrow(/learner\.clipLow change no reward/);
    expect(() => under(['reward.wrongg=1'])).toThrow(/wrongg/);
    expect(() => under([], { values: { reward: 3 } })).toThrow(/reward/);
  });
});
