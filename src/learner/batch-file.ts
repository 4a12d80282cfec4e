/**
 * A learner batch as a JSON file: rows of {ids, mask, advantage, oldLogprobs}.
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

const rowSchema = z.strictObject({
  ids: z.array(z.int().min(0)).min(2),
  mask: z.array(z.union([z.literal(0), z.literal(1), z.boolean()])),
  advantage: z.number(),
  /** null where the mask is 0. */
  oldLogprobs: z.array(z.number().nullable()),
});

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

function rowOf(at: string, id: string, value: unknown): LearnRow {
  const parsed = rowSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new BatchFileError(
      `${at}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}; accepted is {ids, mask, advantage, oldLogprobs}`,
    );
  }
  const { ids, mask, advantage, oldLogprobs } = parsed.data;
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
    if (logProb === null && taken[first + i] === true)
      throw new BatchFileError(
        `${at}: oldLogprobs is null for token ${first + i + 1}, whose mask is 1; accepted are numbers`,
      );
    return logProb ?? 0;
  });
  return {
    id,
    group: 'batch',
    prompt: ids.slice(0, first + 1),
    completion: ids.slice(first + 1, end + 1),
    logProbs,
    mask: taken.slice(first, end),
    advantage,
  };
}
