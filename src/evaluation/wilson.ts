/**
 * Wilson's score interval for a proportion (Wilson 1927): centre (p + z²/2n) / (1 + z²/n), half-width
 * z sqrt(p(1-p)/n + z²/4n²) / (1 + z²/n). Holds its level at small n and near 0 and 1, where the normal interval fails.
 */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** @param z 1.96 for 95 %. With no trials the interval is [0, 1]. */
export function wilson(correct: number, count: number, z = 1.959964): Interval {
  if (!(correct >= 0 && correct <= count))
    throw new RangeError(`correct is ${correct} of ${count}; accepted are 0 to count`);
  if (count === 0) return { estimate: Number.NaN, low: 0, high: 1 };
  const p = correct / count;
  const scale = 1 + (z * z) / count;
  const centre = (p + (z * z) / (2 * count)) / scale;
  const half = (z * Math.sqrt((p * (1 - p)) / count + (z * z) / (4 * count * count))) / scale;
  return { estimate: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
