/** What the tests have of the recorded numbers, which the bench `gpu` checks too. */
import { expect } from 'vitest';

export { configOfSteps } from '../../bench/gpu/recorded.js';
export type { After, ExpectedSteps, Summaries, Summary } from '../../bench/gpu/recorded.js';

/** The largest difference of two lists of one length. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}
