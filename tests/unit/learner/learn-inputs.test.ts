import { describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { learnConfig } from '../../../src/learner/learn-inputs.js';

describe('a learner step’s configuration', () => {
  it('says nothing of additions to the loss that are off: recorded checkpoints keep their provenance', async () => {
    const { config } = await resolveRunConfig('tiny');
    expect(Object.keys(learnConfig(config, 3)).sort()).toEqual([
      'aggregation',
      'betas',
      'clipHigh',
      'clipLow',
      'entropyCoefficient',
      'epsilon',
      'learningRate',
      'maxGradNorm',
      'microbatchRows',
      'minibatches',
      'shuffleSeed',
      'weightDecay',
    ]);
  });

  it('has a constant rate, or one on a straight line to the last iteration, and none while the buffer is filled', async () => {
    const { config: constant } = await resolveRunConfig('tiny', ['schedule.iterations=11']);
    const rates = (config: typeof constant): number[] =>
      [4, 5, 6, 11, 12].map((iteration) => learnConfig(config, iteration).learningRate);
    expect(rates(constant)).toEqual([0, 5e-4, 5e-4, 5e-4, 5e-4]);
    const { config } = await resolveRunConfig('tiny', [
      'schedule.iterations=11',
      'learner.finalLearningRate=1e-4',
    ]);
    [0, 3.4e-4, 3e-4, 1e-4, 1e-4].forEach((rate, i) => expect(rates(config)[i]).toBeCloseTo(rate, 12));
  });

  it('has those that are on', async () => {
    const { config } = await resolveRunConfig('tiny', [
      'learner.dualClip=3',
      'learner.klCoefficient=0.01',
      'learner.compute=bfloat16',
    ]);
    expect(learnConfig(config, 3)).toMatchObject({
      dualClip: 3,
      klCoefficient: 0.01,
      compute: 'bfloat16',
    });
  });

  it('is refused where it makes no sense, by name', async () => {
    for (const [override, words] of [
      ['learner.dualClip=0.9', /learner\.dualClip is 0\.9/],
      ['learner.klCoefficient=-1', /learner\.klCoefficient is -1/],
      ['learner.compute=float16', /learner\.compute is "float16": .*float32.*bfloat16/],
      ['learner.advantage=gae', /learner\.advantage is "gae": .*trr_plus_plus/],
      ['propose.uniformLengths=[0,0,0]', /propose\.uniformLengths is \[0,0,0\]: at least one weight/],
      ['buffer.keep=random', /buffer\.keep is "random": .*reservoir/],
      ['solve.mixing=all_new', /solve\.mixing is "all_new": .*half_new/],
      ['reward.validProgramFilter=none', /reward\.validProgramFilter is "none": .*non_extremes/],
    ] as const)
      await expect(resolveRunConfig('tiny', [override])).rejects.toThrow(words);
  });
});
