/** Files of stored pairs: seed files of the published schema, and CRUXEval (code, input, output). */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../../src/config/errors.js';
import { parseSeedRows, type BrokenLine } from '../../src/tasks/seed-rows.js';
import type { StoredProgram } from './rerun.js';

const cruxRow = z.object({ code: z.string().min(1), input: z.string(), output: z.string() });

export interface StoredFile {
  readonly programs: readonly StoredProgram[];
  readonly broken: readonly BrokenLine[];
}

/** Reads a file, telling the two schemas apart line by line by their program's name. */
export async function readStored(file: string): Promise<StoredFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`FILE is ${file}, which cannot be read: ${(error as Error).message}`);
  }
  return /^\s*\{"code"/.test(text) ? parseCrux(text) : seedFile(text);
}

function seedFile(text: string): StoredFile {
  const { rows, broken } = parseSeedRows(text);
  return { programs: rows, broken };
}

function parseCrux(text: string): StoredFile {
  const programs: StoredProgram[] = [];
  const broken: BrokenLine[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue;
    try {
      const { code, input, output } = cruxRow.parse(JSON.parse(content));
      programs.push({ line: index + 1, code, inputs: [input], outputs: [output] });
    } catch (error) {
      broken.push({ line: index + 1, error: (error as Error).message });
    }
  }
  return { programs, broken };
}
