import { describe, expect, it } from 'vitest';
import { proposerReward, solverReward } from '../../../src/reward/composite.js';
import { inductionAccuracy } from '../../../src/reward/induction-accuracy.js';
import { learnability } from '../../../src/reward/learnability.js';

const LEVELS = { formatError: -1, wrong: -0.5, repeat: -0.5 };

describe('learnability', () => {
  it.each([
    [0, 0, 1],
    [0.125, 0.875, 0.875],
    [0.5, 0.5, 0.5],
    [1, 0, 0],
  ])('of mean accuracy %f is %f by one_minus and %f by inverse', (accuracy, oneMinus, inverse) => {
    expect(learnability(accuracy, 'one_minus')).toBe(oneMinus);
    expect(learnability(accuracy, 'inverse')).toBe(inverse);
  });

  it('names what it was given when that is no share', () => {
    expect(() => learnability(1.5, 'one_minus')).toThrow('meanAccuracy is 1.5; accepted are 0 to 1');
  });
});

describe('the composite reward', () => {
  it('pays the proposer for what is valid and learnable', () => {
    expect(proposerReward({ kind: 'format-error' }, LEVELS).reward).toBe(-1);
    expect(proposerReward({ kind: 'invalid' }, LEVELS).reward).toBe(-1);
    expect(proposerReward({ kind: 'repeat' }, LEVELS).reward).toBe(-0.5);
    expect(proposerReward({ kind: 'valid', formatOk: false, learnability: 0.5 }, LEVELS).reward).toBe(-1);
    expect(proposerReward({ kind: 'valid', formatOk: true, learnability: 0 }, LEVELS).reward).toBe(-0.5);
    expect(proposerReward({ kind: 'valid', formatOk: true, learnability: 0.75 }, LEVELS)).toEqual({
      reward: 0.75,
      components: [{ name: 'learnability', raw: 0.75, coefficient: 1, cap: null, value: 0.75 }],
    });
  });

  it('pays the solver for what is right', () => {
    expect(solverReward(false, 1, LEVELS).reward).toBe(-1);
    expect(solverReward(true, 0, LEVELS).reward).toBe(-0.5);
    expect(solverReward(true, 0.4, LEVELS).reward).toBe(0.4);
    expect(solverReward(true, 1, LEVELS).reward).toBe(1);
  });
});

describe('accuracy of an induction answer', () => {
  it.each([
    [0, 0, 0, 0],
    [0.6, 0, 0.6, 1],
    [1, 1, 1, 1],
  ])('of a share of %f is %f binary, %f as accuracy, %f if one is enough', (share, binary, accuracy, one) => {
    expect(inductionAccuracy(share, 'binary')).toBe(binary);
    expect(inductionAccuracy(share, 'accuracy')).toBe(accuracy);
    expect(inductionAccuracy(share, 'if_one_correct')).toBe(one);
  });
});
