/** From the rows of EvaluationCompleted to curves, gains and declines. Pure. */
export interface ScoreRow {
  readonly run_id: string;
  readonly iteration: number;
  readonly kind: string;
  readonly bucket: string;
  readonly count: number;
  readonly correct: number;
}

export const KINDS = ['deduction', 'abduction', 'induction'] as const;
/** `all` is the mean of the three kinds' accuracies. */
export const SERIES = [...KINDS, 'all'] as const;
export type Series = (typeof SERIES)[number];

export interface Curve {
  /** Ascending. */
  readonly iterations: readonly number[];
  /** Held-out accuracy in %, by series. */
  readonly accuracy: Readonly<Record<Series, readonly number[]>>;
}

/** @throws Error where the run has no evaluation, or one lacks a kind. */
export function curveOf(rows: readonly ScoreRow[], runId: string): Curve {
  const mine = rows.filter((row) => row.run_id === runId);
  const iterations = [...new Set(mine.map((row) => row.iteration))].sort((a, b) => a - b);
  if (iterations.length === 0) throw new Error(`run ${runId} has no evaluation`);
  const share = (kind: string, iteration: number): number => {
    const of = mine.filter((row) => row.kind === kind && row.iteration === iteration);
    const count = of.reduce((sum, row) => sum + row.count, 0);
    if (count === 0) throw new Error(`run ${runId} has no evaluation of ${kind} at iteration ${iteration}`);
    return (100 * of.reduce((sum, row) => sum + row.correct, 0)) / count;
  };
  const accuracy = Object.fromEntries(
    KINDS.map((kind) => [kind, iterations.map((iteration) => share(kind, iteration))]),
  ) as Record<Series, number[]>;
  accuracy.all = iterations.map(
    (_, i) => KINDS.reduce((sum, kind) => sum + (accuracy[kind][i] ?? Number.NaN), 0) / KINDS.length,
  );
  return { iterations, accuracy };
}

/** Last minus first, in points. */
export function gain(curve: Curve, series: Series): number {
  const values = curve.accuracy[series];
  return (values.at(-1) ?? Number.NaN) - (values[0] ?? Number.NaN);
}

/** Highest minus last, in points: 0 where the last is the highest. */
export function declineAfterPeak(curve: Curve, series: Series): number {
  const values = curve.accuracy[series];
  return Math.max(...values) - (values.at(-1) ?? Number.NaN);
}
