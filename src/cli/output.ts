/** How commands speak: facts on standard output, the story on standard error when --json is asked for. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function sayJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export interface ProgressBar {
  show(done: number, of: number, beside: string): void;
  /** Takes it from the screen; a second call changes nothing. */
  end(): void;
}

const BAR_WIDTH = 24;

/** On standard error, and only where that is a terminal: a file or a pipe gets nothing of it. */
export function progressBar(of: string): ProgressBar {
  let shown = false;
  return {
    show(done, all, beside) {
      if (!process.stderr.isTTY) return;
      const full = Math.round((BAR_WIDTH * done) / Math.max(1, all));
      const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
      process.stderr.write(`\r\u001b[K${bar} ${done}/${all} ${of}${beside === '' ? '' : `, ${beside}`}`);
      shown = true;
    },
    end() {
      if (shown) process.stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}

/** Rows as a table of aligned columns; numbers to the right. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const first = rows[0];
  if (first === undefined) return '(no rows)';
  const columns = Object.keys(first);
  const cells = rows.map((row) => columns.map((column) => text(row[column])));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const line = (values: readonly string[], numeric: (i: number) => boolean): string =>
    values
      .map((value, i) => (numeric(i) ? value.padStart(widths[i] ?? 0) : value.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  const isNumber = columns.map((column) => rows.every((row) => typeof row[column] === 'number'));
  return [
    line(columns, (i) => isNumber[i] === true),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...cells.map((row) => line(row, (i) => isNumber[i] === true)),
  ].join('\n');
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(3);
  return JSON.stringify(value);
}
