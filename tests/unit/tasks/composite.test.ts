import { describe, expect, it } from 'vitest';
import {
  composedProgram,
  compositeOdds,
  mayCompose,
  mostFunctions,
  type CompositeSettings,
} from '../../../src/tasks/composite.js';

const settings = (over: Partial<CompositeSettings> = {}): CompositeSettings => ({
  chance: 0,
  minFunctions: 1,
  maxFunctions: 1,
  startIteration: 1,
  schedule: {
    enabled: true,
    start: 101,
    every: 50,
    functionsStep: 1,
    functionsLimit: 3,
    chanceStep: 0.01,
    chanceLimit: 0.8,
  },
  ...over,
});

describe('the odds of a composite program', () => {
  it('rise by a step at the start and each so many iterations, up to their limits', () => {
    const odds = [1, 100, 101, 150, 151, 201, 5001].map((t) => compositeOdds(settings(), t));
    expect(odds.map(({ maxFunctions }) => maxFunctions)).toEqual([1, 1, 2, 2, 3, 3, 3]);
    expect(odds.map(({ chance }) => Number(chance.toFixed(9)))).toEqual([0, 0, 0.01, 0.01, 0.02, 0.03, 0.8]);
  });

  it('stay what they are without a schedule', () => {
    const plain = settings({ chance: 0.3, maxFunctions: 2 });
    const off = { ...plain, schedule: { ...plain.schedule, enabled: false } };
    expect(compositeOdds(off, 1000)).toEqual({ chance: 0.3, minFunctions: 1, maxFunctions: 2 });
  });

  it('are none before the start iteration', () => {
    const late = settings({ chance: 1, startIteration: 3 });
    expect([1, 2, 3].map((t) => compositeOdds(late, t).chance)).toEqual([0, 0, 1]);
  });

  it('are not lowered by a limit below what is configured', () => {
    const high = settings({ chance: 0.9, maxFunctions: 5 });
    expect(compositeOdds(high, 500)).toEqual({ chance: 0.9, minFunctions: 1, maxFunctions: 5 });
  });

  it('say whether a run composes at all, and of how many functions', () => {
    const { schedule } = settings();
    expect(mayCompose(settings())).toBe(true);
    expect(mayCompose(settings({ schedule: { ...schedule, enabled: false } }))).toBe(false);
    expect(mayCompose(settings({ schedule: { ...schedule, chanceStep: 0 } }))).toBe(false);
    expect(mostFunctions(settings())).toBe(3);
    expect(mostFunctions(settings({ schedule: { ...schedule, enabled: false } }))).toBe(1);
  });
});

it('a composed program is the definitions, then the program', () => {
  expect(composedProgram(['def g_0(x):\n    return x\n', 'def g_1(x):\n    return 1'], 'def f(x): ...')).toBe(
    'def g_0(x):\n    return x\n\ndef g_1(x):\n    return 1\n\ndef f(x): ...',
  );
});
