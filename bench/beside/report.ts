/** What the two sides measured, as a table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  /** Medians. */
  readonly torch: number;
  readonly ours: number;
  /** How many times better ours is: the median of the pairs' ratios. */
  readonly ratio: number;
  /** The ratio that is aimed at. */
  readonly wanted: number;
  readonly note: string;
}

/** Markdown. */
export function rowsTable(versions: Readonly<Record<string, unknown>>, rows: readonly Row[]): string {
  const told = Object.entries(versions).map(([side, version]) => `${side}: ${JSON.stringify(version)}`);
  const lines = rows.map(({ what, unit, torch, ours, ratio, wanted, note }) =>
    [
      '',
      what,
      `${torch.toFixed(torch < 100 ? 1 : 0)} ${unit}`,
      `${ours.toFixed(ours < 100 ? 1 : 0)} ${unit}`,
      `${ratio.toFixed(2)} (aim ${wanted})`,
      note,
      '',
    ]
      .join(' | ')
      .trim(),
  );
  return [
    ...told,
    '',
    '| what | PyTorch | here | times better | |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
