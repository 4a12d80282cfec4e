/**
 * A learner batch as a JSON file: rows of {ids, mask, advantage, oldLogprobs}, each with a `group` where statistics are
 * wanted by group, e.g. solve.abduction.
 *
 * `mask` and `oldLogprobs` have one entry a token of `ids`, of which the first is not looked at: no model gives the first
 * token a probability. They may also begin with the second token, as `azr model logits` prints log-probabilities.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { LearnRow } from '../policy/port.js';

/** A batch file is not what it should be; names the file, the row, what stands there and what is accepted. */
export class BatchFileError extends Error {
  override readonly name = 'BatchFileError';
}

/** Of rows that name none. */
export const NO_GROUP = 'batch';

/** A log-probability that was rounded may come out above 0 by this much. */
const ROUNDING = 1e-4;
const isFloat32 = (n: number): boolean => Number.isFinite(Math.fround(n));

const rowSchema = z.strictObject({
  ids: z.array(z.int().min(0)).min(2),
  mask: z.array(z.union([z.literal(0), z.literal(1), z.boolean()])),
  advantage: z.number().refine(isFloat32),
  /** null where the mask is 0. */
  oldLogprobs: z.array(z.number().nullable()),
  group: z.string().min(1).optional(),
});

const ACCEPTED: Readonly<Record<string, string>> = {
  ids: 'a list of at least two tokens, integers from 0',
  mask: 'a list of 0 and 1',
  advantage: 'a number that float32 holds',
  oldLogprobs: 'a list of numbers, null where the mask is 0',
  group: 'a text of at least one character, or none',
};

/** @throws BatchFileError */
export async function readBatchFile(file: string): Promise<LearnRow[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new BatchFileError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); accepted is a file of JSON`,
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new BatchFileError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const rows = Array.isArray(content) ? content : (content as { rows?: unknown } | null)?.rows;
  if (!Array.isArray(rows) || rows.length === 0)
    throw new BatchFileError(`${file} holds no rows; accepted is a list of them, or {"rows": [...]}`);
  return rows.map((row, i) => rowOf(`${file}: row ${i}`, String(i), row));
}

/** Where in the row, what stands there, and what is accepted. */
function refusal({ path, code, ...issue }: z.core.$ZodIssue, row: unknown): string {
  const fields = 'accepted is {ids, mask, advantage, oldLogprobs}, and a group beside';
  if (code === 'unrecognized_keys') return ` has ${(issue as { keys: string[] }).keys.join(', ')}; ${fields}`;
  const [field, index] = path as [string?, number?];
  if (field === undefined) return ` is ${shown(row)}; ${fields}`;
  const found = (row as Readonly<Record<string, unknown>>)[field];
  if (found === undefined) return ` has no ${field}; ${fields}`;
  const value = index === undefined ? found : (found as unknown[])[index];
  return `: ${field}${index === undefined ? '' : `[${index}]`} is ${shown(value)}; accepted is ${ACCEPTED[field] ?? ''}`;
}

/** JSON of 60 characters at most; numbers as they are: JSON has no infinity. */
function shown(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function rowOf(at: string, id: string, value: unknown): LearnRow {
  const parsed = rowSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new BatchFileError(`${at}${issue === undefined ? '' : refusal(issue, value)}`);
  }
  const { ids, mask, advantage, oldLogprobs, group = NO_GROUP } = parsed.data;
  /** One entry a token but the first. */
  const behind = <T>(name: string, list: readonly T[]): readonly T[] => {
    if (list.length === ids.length) return list.slice(1);
    if (list.length === ids.length - 1) return list;
    throw new BatchFileError(
      `${at}: ${name} has ${list.length} entries; accepted is one a token of ids, ${ids.length}, or one a token but the first, ${ids.length - 1}`,
    );
  };
  const taken = behind('mask', mask).map(Boolean);
  const old = behind('oldLogprobs', oldLogprobs);
  const first = taken.indexOf(true);
  if (first < 0)
    throw new BatchFileError(`${at}: mask has no 1 behind the first token; at least one is needed`);
  const end = taken.lastIndexOf(true) + 1;
  const logProbs = old.slice(first, end).map((logProb, i) => {
    if (taken[first + i] !== true) return logProb ?? 0;
    if (logProb === null || logProb > ROUNDING || !isFloat32(logProb))
      throw new BatchFileError(
        `${at}: oldLogprobs is ${logProb} for token ${first + i + 1}, whose mask is 1; accepted are log-probabilities: numbers up to 0 that float32 holds`,
      );
    return logProb;
  });
  return {
    id,
    group,
    prompt: ids.slice(0, first + 1),
    completion: ids.slice(first + 1, end + 1),
    logProbs,
    mask: taken.slice(first, end),
    advantage,
  };
}
