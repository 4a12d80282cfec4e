/**
 * Rows of seed files in the published schema, read with care: a line that is no row is reported
 * with its number and does not stop the others.
 *
 *   pairs:     snippet, input, output, imports[], original_snippet
 *   induction: snippet, inputs[], outputs[], message, imports[]
 */
import { z } from 'zod';
import type { TaskKind } from './types.js';

export interface SeedRow {
  /** Line number in the file, from 1. */
  readonly line: number;
  /** A pair serves deduction and abduction alike; it is recorded as deduction. */
  readonly kind: TaskKind;
  readonly code: string;
  readonly originalCode: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly message: string | null;
  readonly imports: readonly string[];
}

export interface BrokenLine {
  readonly line: number;
  readonly error: string;
}

const common = {
  snippet: z.string().min(1),
  imports: z.array(z.string()).nullish(),
  original_snippet: z.string().nullish(),
};
const pairRow = z.object({ ...common, input: z.string(), output: z.string() });
const inductionRow = z
  .object({
    ...common,
    inputs: z.array(z.string()).min(1),
    outputs: z.array(z.string()).min(1),
    message: z.string().nullish(),
  })
  .refine((row) => row.inputs.length === row.outputs.length, 'inputs and outputs differ in number');

export function parseSeedRows(text: string): { rows: SeedRow[]; broken: BrokenLine[] } {
  const rows: SeedRow[] = [];
  const broken: BrokenLine[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue;
    const line = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch (error) {
      broken.push({ line, error: `not JSON: ${(error as Error).message}` });
      continue;
    }
    const isInduction = typeof value === 'object' && value !== null && 'inputs' in value;
    const parsed = isInduction ? inductionRow.safeParse(value) : pairRow.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      broken.push({
        line,
        error: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not a row'}`,
      });
      continue;
    }
    const row = parsed.data;
    const imports = row.imports ?? [];
    rows.push({
      line,
      kind: 'inputs' in row ? 'induction' : 'deduction',
      code: withImports(row.snippet, imports),
      originalCode: row.original_snippet ?? row.snippet,
      inputs: 'inputs' in row ? row.inputs : [row.input],
      outputs: 'inputs' in row ? row.outputs : [row.output],
      message: 'inputs' in row && row.message !== '' ? (row.message ?? null) : null,
      imports,
    });
  }
  return { rows, broken };
}

/** The collected imports stand before the program, once each. */
function withImports(snippet: string, imports: readonly string[]): string {
  const lines = new Set(snippet.split('\n').map((line) => line.trim()));
  const missing = [...new Set(imports)].filter((line) => !lines.has(line.trim()));
  return missing.length === 0 ? snippet : `${missing.join('\n')}\n${snippet}`;
}
