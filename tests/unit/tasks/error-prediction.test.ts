import { describe, expect, it } from 'vitest';
import { errorNameOf, errorPrediction } from '../../../src/tasks/error-prediction.js';
import type { Task } from '../../../src/tasks/types.js';

const task: Task = {
  taskId: 't',
  kind: 'error',
  code: 'def f(x):\n    return x[4]',
  inputs: ['[1]'],
  outputs: ['IndexError'],
  message: null,
};

describe('an error task', () => {
  it('shows its program and input, and not the class', () => {
    expect(errorPrediction.solve(task)).toEqual({
      code: task.code,
      input: '[1]',
      givenPairs: [],
      hiddenPairs: [],
    });
    expect(errorPrediction.verify.question(task, 'KeyError')).toEqual({
      kind: 'error',
      code: task.code,
      input: '[1]',
      output: 'IndexError',
      answer: 'KeyError',
    });
  });

  it('lacking an input or a class is an error', () => {
    expect(() => errorPrediction.verify.question({ ...task, outputs: [] }, 'x')).toThrow(/task t has no/);
  });
});

describe('an answer', () => {
  it.each([
    ['IndexError', true],
    ['  indexerror\n', true],
    ['IndexError: list index out of range', true],
    ['INDEXERROR because the list is short', true],
    ['NoError', false],
    ['Index Error', false],
    ['an IndexError', false],
    ['`IndexError`', false],
    ['', false],
  ])('%j is right: %s', (answer, correct) => {
    const { question, run, score } = errorPrediction.verify;
    expect(run(question(task, answer))).toBeUndefined();
    expect(score(question(task, answer), [])).toEqual({
      accuracy: correct ? 1 : 0,
      correct,
      reason: correct ? 'correct' : 'wrong',
    });
  });

  it('names what stands before a blank and a colon', () => {
    expect(errorNameOf(' ValueError: x: y')).toBe('ValueError');
    expect(errorNameOf('\u00a0KeyError\u2003x')).toBe('KeyError');
    expect(errorNameOf('')).toBe('');
  });
});
