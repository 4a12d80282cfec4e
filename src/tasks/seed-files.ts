/**
 * Seed files of the published row schema, read whole before anything starts, and written from tasks.
 *
 *   pairs (seed_io)            snippet, input, output, imports[], original_snippet, composite_functions[], _input_type,
 *                              _output_type
 *   induction (code_f_seed_io) snippet, inputs[], outputs[], message, imports[], _input_types[], _output_types[]
 *
 * Types are names of Python types, as published. Deviation: where a snippet needs imports they stand in it too.
 */
import { createHash } from 'node:crypto';
import { UsageError } from '../config/errors.js';
import { typeOfText } from '../reward/intrinsic/answer-diversity.js';
import { parseSeedRows } from './seed-rows.js';
import type { Task } from './types.js';

export type SeedFileKind = 'pairs' | 'induction';

export interface SeedFileRow {
  /** In the file, from 1. */
  readonly line: number;
  /** As it stands there. */
  readonly rowJson: string;
}

export interface SeedFile {
  /** Of the text, SHA-256, hexadecimal. */
  readonly digest: string;
  readonly rows: readonly SeedFileRow[];
}

const SHOWN = 5;

/** @throws UsageError naming the option, the lines and what is accepted, where a line is no row of this kind. */
export function readSeedFile(option: string, file: string, text: string, kind: SeedFileKind): SeedFile {
  const { rows, broken } = parseSeedRows(text);
  const wrong = [
    ...broken,
    ...rows
      .filter((row) => (row.kind === 'induction') !== (kind === 'induction'))
      .map(({ line }) => ({
        line,
        error: kind === 'pairs' ? 'it is an induction row' : 'it is a row with one input and output',
      })),
  ].sort((a, b) => a.line - b.line);
  if (wrong.length > 0) {
    const lines = wrong.slice(0, SHOWN).map(({ line, error }) => `line ${line}: ${error}`);
    const more = wrong.length > SHOWN ? `; and ${wrong.length - SHOWN} more` : '';
    throw new UsageError(
      `${option} is ${file}; ${lines.join('; ')}${more}. Accepted are lines of the published row schema: ${SCHEMA[kind]}`,
    );
  }
  if (rows.length === 0)
    throw new UsageError(`${option} is ${file}, which holds no row; accepted is at least one`);
  const texts = text.split('\n');
  return {
    digest: createHash('sha256').update(text).digest('hex'),
    rows: rows.map(({ line }) => ({ line, rowJson: texts[line - 1] ?? '' })),
  };
}

const SCHEMA: Readonly<Record<SeedFileKind, string>> = {
  pairs: '{snippet, input, output, imports?, original_snippet?}',
  induction: '{snippet, inputs, outputs, message?, imports?}',
};

export type SeedTask = Pick<Task, 'code' | 'inputs' | 'outputs' | 'message'> & {
  readonly originalCode: string;
  readonly imports: readonly string[];
};

/** Lines of a seed file, the last one ended too. */
export function seedFileText(kind: SeedFileKind, tasks: readonly SeedTask[]): string {
  return tasks
    .map(({ code, originalCode, imports, inputs, outputs, message }) => {
      const row =
        kind === 'pairs'
          ? {
              snippet: code,
              input: inputs[0] ?? '',
              output: outputs[0] ?? '',
              imports,
              original_snippet: originalCode,
              composite_functions: [],
              _input_type: typeOfText(inputs[0] ?? ''),
              _output_type: typeOfText(outputs[0] ?? ''),
            }
          : {
              snippet: code,
              inputs,
              outputs,
              message: message ?? '',
              imports,
              _input_types: inputs.map((input) => typeOfText(input)),
              _output_types: outputs.map((output) => typeOfText(output)),
            };
      return `${JSON.stringify(row)}\n`;
    })
    .join('');
}
