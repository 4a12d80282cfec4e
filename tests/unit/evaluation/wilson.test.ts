import { describe, expect, it } from 'vitest';
import { wilson } from '../../../src/evaluation/wilson.js';

describe('the Wilson interval', () => {
  it('agrees with published values', () => {
    // 81 of 263: Newcombe 1998, table I, method 3.
    const interval = wilson(81, 263);
    expect(interval.estimate).toBeCloseTo(0.308, 4);
    expect(interval.low).toBeCloseTo(0.2553, 4);
    expect(interval.high).toBeCloseTo(0.3662, 4);
    // 0 of 20 and 1 of 29, same table.
    expect(wilson(0, 20).high).toBeCloseTo(0.1611, 4);
    expect(wilson(1, 29).low).toBeCloseTo(0.0061, 4);
    expect(wilson(1, 29).high).toBeCloseTo(0.1718, 4);
  });

  it('says nothing without trials and refuses nonsense', () => {
    expect(wilson(0, 0)).toMatchObject({ low: 0, high: 1 });
    expect(() => wilson(3, 2)).toThrow('correct is 3 of 2');
  });
});
