/**
 * Means over seeds with Student's t interval: mean ± t(0.975, n - 1) s / sqrt(n).
 *
 * Quantiles of t are tabled (two-sided 95 %); a normal interval would be too narrow for a handful of seeds.
 */
const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

export interface MeanInterval {
  readonly mean: number;
  /** NaN for one value: one seed has no interval. */
  readonly low: number;
  readonly high: number;
}

/** @param values at least one, at most eleven. @throws RangeError otherwise. */
export function meanInterval(values: readonly number[]): MeanInterval {
  const n = values.length;
  if (n < 1 || n > T_975.length + 1)
    throw new RangeError(`values has ${n} entries; accepted are 1 to ${T_975.length + 1}`);
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  if (n === 1) return { mean, low: Number.NaN, high: Number.NaN };
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  const half = ((T_975[n - 2] ?? Number.NaN) * Math.sqrt(variance)) / Math.sqrt(n);
  return { mean, low: mean - half, high: mean + half };
}
