/**
 * One step's verification in the published proportions (batch 64, three task kinds, eight estimates a proposal):
 *
 *   768 validations     64 abduction, 64 deduction proposals of one input, 64 induction proposals of ten
 *   576 abductions      64 new tasks x 8 answers, 64 older tasks x 1
 *   576 deductions      the same
 *   2,880 inductions    64 new tasks x 8 candidates + 64 older x 1, each on 5 hidden pairs
 *
 * Programs are published seed data where a folder is given, else drawn from the tiny domain with values computed by its
 * own definition. Gold values are those that validation found.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { seedOf } from '../../src/coordinates.js';
import { UsageError } from '../../src/config/errors.js';
import {
  MAX_OPERATIONS,
  OPERATIONS,
  renderList,
  renderProgram,
  trace,
} from '../../src/policy/tiny/operations.js';
import { drawInput, drawProgram } from '../../src/policy/tiny/generator.js';
import { Random } from '../../src/random.js';
import type { JudgeItem, ProposalItem } from '../../src/sandbox/index.js';
import { literalAnswers, mutant, retold } from './answers.js';

export const BATCH = 64;
const ESTIMATES = 8;
const INPUTS = 10;

export interface Row {
  readonly code: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Distinct programs: `single` with one input, `many` with ten. */
export interface Programs {
  readonly source: string;
  readonly single: readonly Row[];
  readonly many: readonly Row[];
}

export interface Workload {
  readonly validation: readonly ProposalItem[];
  readonly abduction: readonly JudgeItem[];
  readonly deduction: readonly JudgeItem[];
  readonly induction: readonly JudgeItem[];
}
export const PHASES = ['validation', 'abduction', 'deduction', 'induction'] as const;
export type Phase = (typeof PHASES)[number];

/** Checks a phase stands for: one an input, an answer or a hidden pair. */
export function checksOf(workload: Workload, phase: Phase): number {
  switch (phase) {
    case 'validation':
      return workload.validation.reduce((sum, { inputs }) => sum + inputs.length, 0);
    case 'induction':
      return workload.induction.reduce((sum, { pairs }) => sum + (pairs ?? []).length, 0);
    case 'abduction':
    case 'deduction':
      return workload[phase].length;
  }
}

/** Reads seed files (`*seed_io.jsonl`, one program a line). Throws UsageError where they do not suffice. */
export async function readSeeds(folder: string): Promise<Programs> {
  const files = (await readdir(folder).catch(() => []))
    .filter((file) => file.endsWith('seed_io.jsonl'))
    .sort();
  const single = new Map<string, Row>();
  const many = new Map<string, Row>();
  for (const file of files)
    for (const line of (await readFile(path.join(folder, file), 'utf8')).split('\n')) {
      if (line === '') continue;
      const row = JSON.parse(line) as Record<'snippet' | 'input' | 'output', string> & {
        inputs?: string[];
        outputs?: string[];
        imports?: string[];
      };
      const missing = (row.imports ?? []).filter((text) => !row.snippet.includes(text));
      const code = [...missing, row.snippet].join('\n');
      if (row.inputs === undefined) single.set(code, { code, inputs: [row.input], outputs: [row.output] });
      else if (row.inputs.length === INPUTS && row.outputs?.length === INPUTS)
        many.set(code, { code, inputs: row.inputs, outputs: row.outputs });
    }
  // Each program is in one list only.
  for (const code of many.keys()) single.delete(code);
  const programs = { source: 'seed files', single: [...single.values()], many: [...many.values()] };
  const least = 4 * BATCH;
  if (programs.single.length < least || programs.many.length < least)
    throw new UsageError(
      `--seeds ${folder} holds ${programs.single.length} programs of one input and ${programs.many.length} of ${INPUTS}; ` +
        `accepted are folders with *seed_io.jsonl files of at least ${least} each`,
    );
  return programs;
}

/** Programs of the tiny domain, every program once, with random inputs. */
export function tinyPrograms(seed: number): Programs {
  const random = new Random(seedOf('bench', 'sandbox', 'tiny', seed));
  const seen = new Set<string>();
  const draw = (inputs: number): Row => {
    for (;;) {
      const operations = drawProgram(random, 1 + random.below(MAX_OPERATIONS));
      const code = renderProgram(operations);
      if (seen.has(code)) continue;
      seen.add(code);
      const lists = Array.from({ length: inputs }, () => drawInput(random));
      const outputs = lists.map((list) => trace(operations, list).at(-1) ?? list);
      return { code, inputs: lists.map(renderList), outputs: outputs.map(renderList) };
    }
  };
  const total = OPERATIONS.length + OPERATIONS.length ** 2 + OPERATIONS.length ** MAX_OPERATIONS;
  const each = Math.min(8 * BATCH, Math.floor(total / 2) - BATCH);
  return {
    source: 'tiny domain',
    single: Array.from({ length: each }, () => draw(1)),
    many: Array.from({ length: each }, () => draw(INPUTS)),
  };
}

/**
 * Tasks are rows that validation accepts (`isTask`), with the outputs recorded; proposals are any rows. A proposal that is
 * no task leaves its place among the new tasks to an older row.
 */
export function makeWorkload(programs: Programs, isTask: (row: Row) => boolean, seed: number): Workload {
  const random = new Random(seedOf('bench', 'sandbox', seed));
  const single = random.shuffle(programs.single);
  const many = random.shuffle(programs.many);
  const proposed = [single.slice(0, BATCH), single.slice(BATCH, 2 * BATCH), many.slice(0, BATCH)] as const;
  const validation = proposed.flatMap((rows, kind) =>
    rows.map(({ code, inputs }, i) => ({ id: `v${kind}-${i}`, code, inputs })),
  );
  const older = single.slice(2 * BATCH).filter(isTask);
  const olderMany = many.slice(BATCH).filter(isTask);
  // 64 tasks with eight answers each, and 64 older ones with one.
  const attempts = (rows: readonly Row[], pool: readonly Row[]): (readonly [row: Row, count: number])[] => [
    ...[...rows.filter(isTask), ...pool.slice(BATCH)].slice(0, BATCH).map((row) => [row, ESTIMATES] as const),
    ...pool.slice(0, BATCH).map((row) => [row, 1] as const),
  ];
  const judged = (kind: 'abduction' | 'deduction', rows: readonly Row[], pool: readonly Row[]): JudgeItem[] =>
    attempts(rows, pool).flatMap(([row, count], i) => {
      const [input = '', output = ''] = [row.inputs[0], row.outputs[0]];
      return literalAnswers(kind === 'abduction' ? input : output, count, random).map((answer, k) => ({
        id: `${kind}-${i}-${k}`,
        kind,
        code: row.code,
        input,
        output,
        answer,
      }));
    });
  // Programs of other tasks as wrong answers, each once.
  const foreign = many.slice(3 * BATCH).map(({ code }) => code);
  const candidate = (row: Row, k: number, name: string): string => {
    if (k < 2) return retold(row.code, name);
    const looping = /\bwhile\b|\bf\(.*\bf\(/s.test(row.code);
    const mutated = k < 5 && !looping ? mutant(row.code, random) : undefined;
    return retold(mutated ?? foreign.pop() ?? row.code, name);
  };
  const induction = attempts(proposed[2], olderMany).flatMap(([row, count], i) =>
    Array.from({ length: count }, (_, k): JudgeItem => ({
      id: `induction-${i}-${k}`,
      kind: 'induction',
      code: row.code,
      answer: candidate(row, k, `${i}-${k}`),
      pairs: row.inputs.map((input, p) => ({ input, output: row.outputs[p] ?? '' })).slice(INPUTS / 2),
    })),
  );
  const half = older.length >> 1;
  return {
    validation,
    abduction: judged('abduction', proposed[0], older.slice(0, half)),
    deduction: judged('deduction', proposed[1], older.slice(half)),
    induction,
  };
}
