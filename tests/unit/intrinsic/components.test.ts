import { describe, expect, it } from 'vitest';
import { combine, COMBINE_METHODS } from '../../../src/reward/combine.js';
import { proposerReward, type RewardComponent } from '../../../src/reward/composite.js';
import {
  enabledTerms,
  intrinsicComponents,
  intrinsicMeasuresSteps,
  needsReferences,
  needsTrees,
  withIntrinsic,
  type IntrinsicSettings,
  type IntrinsicSubject,
} from '../../../src/reward/intrinsic/components.js';
import { drained } from '../../../src/reward/intrinsic/sequence-matcher.js';
import { readSyntaxNode } from '../../../src/reward/intrinsic/syntax-tree.js';
import { countsOf } from './counts.js';

const levels = { formatError: -1, wrong: -0.5, repeat: -0.5 };
const on = { enabled: true, coefficient: 0.5, cap: 0.3 };
const tree = readSyntaxNode({
  _: 'Module',
  body: [
    {
      _: 'For',
      body: [{ _: 'If', test: { _: 'Name', id: 'a' }, body: [{ _: 'Pass' }], orelse: [] }],
      orelse: [],
    },
  ],
});
const never = (): never => {
  throw new Error('asked for what no enabled term needs');
};
/** Measured and weighed, as the steps do it one after the other. */
const intrinsicRewards = (of: IntrinsicSubject, settings: IntrinsicSettings): readonly RewardComponent[] =>
  intrinsicComponents(of.kind, drained(intrinsicMeasuresSteps(of, settings)), settings);
const subject: IntrinsicSubject = {
  kind: 'deduction',
  tree: () => tree,
  references: () => [tree, readSyntaxNode({ _: 'Module', body: [] })],
  answer: '1',
  answerCounts: () => countsOf(['1', '2']),
  inputs: ['1', '3'],
  outputs: ['2', '2'],
  inputCounts: () => countsOf(['1', '1']),
  outputCounts: () => countsOf(['1', '2']),
};

describe('combine', () => {
  it.each([
    ['sum', 0.5 + 0.2 + 0.3],
    ['multiply', 0.5 * (0.2 * 0.3)],
    ['sum_multiply', 0.5 + 0.2 * 0.3],
    ['multiply_sum', 0.5 * (0.2 + 0.3)],
  ] as const)('%s', (method, expected) => {
    expect(combine(0.5, [0.2, 0.3], method)).toBeCloseTo(expected, 12);
  });

  it('is u without terms', () => {
    for (const method of COMBINE_METHODS) expect(combine(0.25, [], method)).toBe(0.25);
  });
});

describe('intrinsic terms', () => {
  it('raw, times coefficient, up to the cap', () => {
    const terms = intrinsicRewards(subject, {
      complexity: on,
      mean_edit_distance: { enabled: true, coefficient: 1, cap: 0.01 },
      answer_diversity: { ...on, rule: 'hierarchical' },
      halstead: { ...on, enabled: false },
      f_input_answer_diversity: on,
    });
    // for 1, if at level 1: 2. One int among ints, once of twice.
    expect(terms).toEqual([
      { name: 'complexity', raw: 3 / 15, coefficient: 0.5, cap: 0.3, value: 0.1 },
      {
        name: 'mean_edit_distance',
        raw: expect.any(Number) as number,
        coefficient: 1,
        cap: 0.01,
        value: 0.01,
      },
      { name: 'answer_diversity', raw: 0.25, coefficient: 0.5, cap: 0.3, value: 0.125 },
    ]);
  });

  it('induction has terms of its own', () => {
    const terms = intrinsicRewards(
      { ...subject, kind: 'induction', tree: never, references: never, answerCounts: never },
      { complexity: on, f_input_answer_diversity: on, f_output_answer_diversity: on },
    );
    expect(terms.map(({ name, raw, value }) => [name, raw, value])).toEqual([
      ['f_input_answer_diversity', 0.5, 0.25],
      ['f_output_answer_diversity', 0.5, 0.25],
    ]);
  });

  it('asks for nothing that is not enabled', () => {
    const idle = { ...subject, tree: never, references: never, answerCounts: never, inputCounts: never };
    expect(intrinsicRewards(idle, {})).toEqual([]);
    expect(intrinsicRewards(idle, { complexity: { ...on, enabled: false } })).toEqual([]);
    expect(intrinsicRewards({ ...idle, tree: () => tree }, { complexity: on })).toHaveLength(1);
    expect(needsTrees('deduction', { answer_diversity: on })).toBe(false);
    expect(needsTrees('deduction', { halstead: on })).toBe(true);
    expect(needsTrees('induction', { halstead: on })).toBe(false);
    expect(needsReferences('abduction', { mean_edit_distance: on })).toBe(true);
    expect(needsReferences('abduction', { complexity: on })).toBe(false);
    expect(enabledTerms('abduction', { halstead: on, complexity: on })).toEqual(['complexity', 'halstead']);
  });

  it('what does not parse measures 0', () => {
    const terms = intrinsicRewards(
      { ...subject, tree: () => undefined },
      { complexity: on, mean_edit_distance: on, halstead: on },
    );
    expect(terms.map((term) => term.raw)).toEqual([0, 0, 0]);
  });

  it('join learnability above 0 and nothing else', () => {
    const terms = intrinsicRewards(subject, { complexity: on });
    const reward = proposerReward({ kind: 'valid', formatOk: true, learnability: 0.5 }, levels);
    expect(withIntrinsic(reward, terms, 'sum')).toEqual({
      reward: 0.6,
      components: [...reward.components, ...terms],
    });
    expect(withIntrinsic(reward, terms, 'multiply').reward).toBeCloseTo(0.05, 12);
    for (const other of [
      proposerReward({ kind: 'valid', formatOk: true, learnability: 0 }, levels),
      proposerReward({ kind: 'valid', formatOk: false, learnability: 0.5 }, levels),
      proposerReward({ kind: 'invalid' }, levels),
      proposerReward({ kind: 'format-error' }, levels),
    ])
      expect(withIntrinsic(other, terms, 'sum')).toBe(other);
    expect(withIntrinsic(reward, [], 'multiply')).toBe(reward);
  });
});
