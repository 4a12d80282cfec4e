import { describe, expect, it } from 'vitest';
import { surprise, typeOfText } from '../../../src/reward/intrinsic/answer-diversity.js';
import { meanSurprise } from '../../../src/reward/intrinsic/induction-diversity.js';
import { countsOf } from './counts.js';

// int: 1 three times, 2 once; str: 'a' four times.
const counts = countsOf(['1', '1', '1', '2', "'a'", "'a'", "'a'", "'a'"]);

describe('answer diversity', () => {
  it('flat: 1 less the share of the value', () => {
    expect(surprise('1', counts, 'flat')).toBe(1 - 3 / 8);
    expect(surprise("'a'", counts, 'flat')).toBe(0.5);
    expect(surprise('3', counts, 'flat')).toBe(1);
    expect(surprise('1', countsOf([]), 'flat')).toBe(1);
  });

  it('hierarchical: the mean of the surprise of the type and of the value in its type', () => {
    expect(surprise('1', counts, 'hierarchical')).toBe((0.5 + 0.25) / 2);
    expect(surprise('2', counts, 'hierarchical')).toBe((0.5 + 0.75) / 2);
    expect(surprise('3', counts, 'hierarchical')).toBe((0.5 + 1) / 2);
    expect(surprise('[1]', counts, 'hierarchical')).toBe(1);
    expect(surprise("'a'", countsOf(["'a'"]), 'hierarchical')).toBe(0);
  });

  it('reads types from literals and never evaluates', () => {
    expect(
      ['1', '1.5', 'True', 'None', "'a'", '{}', '{1}', '()', '1, 2', '__import__("os")', ''].map(typeOfText),
    ).toEqual(['int', 'float', 'bool', 'NoneType', 'str', 'dict', 'set', 'tuple', 'tuple', 'other', 'tuple']);
  });

  it('counts exception classes by a type of their own', () => {
    const errors = countsOf(['ValueError', 'KeyError'], () => 'error');
    expect(surprise('KeyError', errors, 'hierarchical', () => 'error')).toBe((0 + 0.5) / 2);
  });

  it('of an induction task: the mean over its pairs', () => {
    expect(meanSurprise(['1', '3'], counts, 'flat')).toBe((1 - 3 / 8 + 1) / 2);
    expect(meanSurprise([], counts, 'flat')).toBe(0);
  });
});
