import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tinyHeldOut } from '../../../src/evaluation/tiny-held-out.js';
import { tinyCodec } from '../../../src/policy/tiny/codec.js';
import { canonicalProgram, canonicalPrograms } from '../../../src/policy/tiny/canonical.js';
import { drawInput, drawProgram, isHeldOut, isHeldOutText } from '../../../src/policy/tiny/generator.js';
import { accepts, INDUCTION_INPUTS, TINY_GRAMMAR } from '../../../src/policy/tiny/grammar.js';
import {
  MAX_INPUT_LENGTH,
  MAX_OPERATIONS,
  MIN_INPUT_LENGTH,
  OPERATIONS,
  parseList,
  parseProgram,
  renderList,
  renderProgram,
  trace,
} from '../../../src/policy/tiny/operations.js';
import { token, tokensToText, VOCABULARY } from '../../../src/policy/tiny/vocabulary.js';
import { warmUpRows } from '../../../src/policy/tiny/warm-up.js';
import { Random } from '../../../src/random.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { Task } from '../../../src/tasks/types.js';

const operations = fc.array(fc.nat(OPERATIONS.length - 1), { minLength: 1, maxLength: MAX_OPERATIONS });
const input = fc.array(fc.nat(9), { minLength: 3, maxLength: 4 });
const MIX = {
  proposeShare: 0.4,
  proposeLengths: [1, 1, 1],
  solveLengths: [1, 1, 1],
  thinkShares: [0.5, 0.5, 0.5],
  kinds: [1, 1, 1],
  maxReferences: 3,
  directLengths: null,
  inductionTargets: 'drawn',
} as const;

/** Longest prompt and completion together: a solver's of induction, two pairs of 4 and 7 digits and a thought of two rests. */
const CONTEXT = 91;

describe('the tiny domain', () => {
  it('has millions of tasks: 1,884 programs, which are 683 functions, and 11,000 inputs', () => {
    const programs = [1, 2, 3].map((length) => OPERATIONS.length ** length);
    expect(programs.reduce((a, b) => a + b)).toBe(1884);
    expect(canonicalPrograms().size).toBe(683);
    let pairs = 0;
    for (const program of canonicalPrograms().values())
      if (program.length <= 2)
        for (let length = MIN_INPUT_LENGTH; length <= MAX_INPUT_LENGTH; length++)
          for (let n = 0; n < 10 ** length; n++)
            if (!isHeldOut(program, Array.from(String(n).padStart(length, '0'), Number))) pairs++;
    // 107 functions of one or two operations on 11,000 inputs, without a 64th.
    expect(pairs).toBeGreaterThan(1_150_000);
    expect(pairs).toBeLessThan(1_165_000);
  });

  it('has one canonical program for a function: it computes the same and is not longer', () => {
    fc.assert(
      fc.property(operations, input, (ops, x) => {
        const canonical = canonicalProgram(ops);
        expect(trace(canonical, x).at(-1)).toEqual(trace(ops, x).at(-1));
        expect(canonical.length).toBeLessThanOrEqual(ops.length);
        expect(canonicalProgram(canonical)).toEqual(canonical);
      }),
    );
    const named = (...names: string[]): number[] =>
      names.map((name) => OPERATIONS.findIndex((operation) => operation.name === name));
    expect(canonicalProgram(named('reverse', 'increment'))).toEqual(named('increment', 'reverse'));
    expect(canonicalProgram(named('tail', 'rotate', 'rotate-back'))).toEqual(named('tail'));
    expect(() => canonicalProgram([0, 0, 0, 0, 0, 0])).toThrow(
      /operations are 0, 0, 0, 0, 0, 0; accepted are 1 to 5/,
    );
  });

  it('reads back every program and list it writes', () => {
    fc.assert(
      fc.property(operations, input, (ops, x) => {
        expect(parseProgram(renderProgram(ops))).toEqual(ops);
        expect(parseList(renderList(x))).toEqual(x);
      }),
    );
    expect(parseList('[]')).toEqual([]);
    expect(parseList('[10]')).toBeUndefined();
    expect(parseProgram('def f(x):\n    import os\n    return x')).toBeUndefined();
  });

  it('never leaves lists of digits of at most seven', () => {
    fc.assert(
      fc.property(operations, input, (ops, x) => {
        for (const state of trace(ops, x)) {
          expect(state.length).toBeLessThanOrEqual(7);
          expect(state.every((d) => Number.isInteger(d) && d >= 0 && d <= 9)).toBe(true);
        }
      }),
    );
  });
});

describe('the grammar', () => {
  it('accepts every warm-up completion, and no longer one', () => {
    for (let seed = 0; seed < 20; seed++)
      for (const row of warmUpRows(seed, 100, MIX)) {
        expect(
          accepts(TINY_GRAMMAR, row.group, row.completion),
          `${row.group}: ${tokensToText(row.completion)}`,
        ).toBe(true);
        expect(accepts(TINY_GRAMMAR, row.group, row.completion.slice(0, -1))).toBe(false);
        expect(row.prompt.length + row.completion.length).toBeLessThanOrEqual(CONTEXT);
      }
  });

  it('gives a way on in every reachable state, and ends within the codec’s limits', () => {
    for (const [name, start] of Object.entries(TINY_GRAMMAR.start)) {
      const random = new Random(7);
      for (let walk = 0; walk < 200; walk++) {
        let state = start;
        let length = 0;
        for (; length < 100; length++) {
          const options = Array.from({ length: VOCABULARY }, (_, t) => t).filter(
            (t) => TINY_GRAMMAR.allowed[state * VOCABULARY + t] === 1,
          );
          expect(options.length, `${name} state ${state}`).toBeGreaterThan(0);
          const t = options[random.below(options.length)] ?? 0;
          state = TINY_GRAMMAR.next[state * VOCABULARY + t] ?? -1;
          expect(state).toBeGreaterThanOrEqual(0);
          if (t === 1) break;
        }
        const kind = name.split('.')[1] as 'deduction';
        const task: Task = {
          taskId: 't',
          kind,
          code: renderProgram([0]),
          inputs: ['[1]'],
          outputs: ['[1]'],
          message: null,
        };
        const prompt = name.startsWith('propose')
          ? tinyCodec.proposePrompt(kind, [], renderProgram([0]))
          : tinyCodec.solvePrompt(kind, taskKinds[kind].solve(task));
        expect(length + 1).toBeLessThanOrEqual(prompt.maxTokens);
      }
    }
  });
});

/** The program turns each given input into its output. */
function expectPairsExplained(prompt: readonly number[], program: readonly number[] | undefined): void {
  const pairs = tokensToText(prompt.slice(1)).split(' | ');
  expect(pairs).toHaveLength(INDUCTION_INPUTS / 2);
  for (const pair of pairs) {
    const [x = '', y = ''] = `${pair} `.split(' -> ').map((text) => text.trim());
    expect(
      trace(program ?? [], x.split(' ').map(Number))
        .at(-1)
        ?.join(' '),
    ).toBe(y);
  }
}

describe('the codec', () => {
  it('thinks about induction by what is left to explain: after each operation the pairs again', () => {
    const rows = warmUpRows(5, 400, { ...MIX, thinkShares: [0, 0, 1], inductionTargets: 'canonical' });
    let seen = 0;
    for (const { group, prompt, completion } of rows) {
      if (group !== 'solve.induction') continue;
      const [thought = '', answer = ''] = tokensToText(completion)
        .replace('<think> ', '')
        .split(' </think> ');
      const names = answer.split(' ').slice(0, -1);
      const program = names.map((name) => OPERATIONS.findIndex((operation) => operation.name === name));
      expect(program).toEqual(canonicalProgram(program));
      expectPairsExplained(prompt, program);
      // Each rest is an induction task of its own, which the operations after it explain.
      const rests = thought
        .split(' ')
        .map((symbol) => (names.includes(symbol) ? '\n' : symbol))
        .join(' ')
        .split('\n')
        .slice(1, -1)
        .map((rest) => rest.trim());
      expect(rests).toHaveLength(program.length - 1);
      rests.forEach((rest, n) => {
        expectPairsExplained([token('solve.induction'), ...rest.split(' ').map(token)], program.slice(n + 1));
        seen++;
      });
    }
    expect(seen).toBeGreaterThan(50);
  });

  it('solves what the warm-up teaches: each taught completion parses to a right answer', () => {
    for (const row of warmUpRows(3, 600, MIX)) {
      if (!row.group.startsWith('solve')) continue;
      const kind = row.group.slice('solve.'.length) as Task['kind'];
      const solution = tinyCodec.parseSolution(kind, { tokens: row.completion, finish: 'end' });
      expect(solution.formatOk).toBe(true);
      if (kind === 'induction') expectPairsExplained(row.prompt, parseProgram(solution.answer ?? ''));
      else expect(parseList(solution.answer ?? '')).toBeDefined();
    }
  });

  it('proposes programs and inputs that read back from Python', () => {
    for (const row of warmUpRows(4, 600, MIX)) {
      if (!row.group.startsWith('propose')) continue;
      const kind = row.group.slice('propose.'.length) as Task['kind'];
      const parsed = tinyCodec.parseProposal(
        kind,
        { tokens: row.completion, finish: 'end' },
        renderProgram([1, 2]),
      );
      expect(parsed.ok).toBe(true);
      if (!parsed.ok) continue;
      expect(parseProgram(parsed.code)).toBeDefined();
      expect(parsed.inputs).toHaveLength(kind === 'induction' ? INDUCTION_INPUTS : 1);
    }
  });

  it('says what is wrong with a completion that is cut short or malformed', () => {
    const cut = tinyCodec.parseProposal('deduction', { tokens: [20], finish: 'length' }, null);
    expect(cut).toMatchObject({ ok: false, formatOk: false, reason: 'unfinished' });
    const odd = tinyCodec.parseProposal('deduction', { tokens: [0, 1], finish: 'end' }, null);
    expect(odd).toMatchObject({ ok: false, formatOk: false, reason: 'malformed' });
    expect(tinyCodec.parseSolution('deduction', { tokens: [99], finish: 'end' })).toEqual({
      formatOk: false,
      thought: null,
      answer: null,
    });
  });
});

describe('what is held out', () => {
  it('is about one pair in 64', () => {
    const random = new Random(1);
    let held = 0;
    const draws = 64_000;
    for (let i = 0; i < draws; i++)
      if (isHeldOut(drawProgram(random, 1 + random.below(3)), drawInput(random))) held++;
    expect(held).toBeGreaterThan(850);
    expect(held).toBeLessThan(1150);
  });

  it('is every pair of the benchmark, and no pair of the warm-up', () => {
    const examples = tinyHeldOut(40);
    expect(examples).toHaveLength(3 * 3 * 40);
    expect(
      new Set(examples.map(({ task }) => JSON.stringify([task.kind, task.code, task.inputs]))).size,
    ).toBe(360);
    for (const { task } of examples)
      for (const [i, text] of task.inputs.entries()) {
        expect(isHeldOutText(task.code, text)).toBe(true);
        expect(renderList(trace(parseProgram(task.code) ?? [], parseList(text) ?? []).at(-1) ?? [])).toBe(
          task.outputs[i],
        );
      }
    for (const row of warmUpRows(12, 3000, { ...MIX, inductionTargets: 'canonical' })) {
      if (row.group !== 'solve.induction') continue;
      const { answer } = tinyCodec.parseSolution('induction', { tokens: row.completion, finish: 'end' });
      for (const pair of tokensToText(row.prompt.slice(1)).split(' | ')) {
        const x = (pair.split(' ->')[0] ?? '').split(' ').map(Number);
        expect(isHeldOut(parseProgram(answer ?? '') ?? [], x)).toBe(false);
      }
    }
    for (const row of warmUpRows(11, 3000, MIX)) {
      if (row.group !== 'propose.deduction') continue;
      const parsed = tinyCodec.parseProposal('deduction', { tokens: row.completion, finish: 'end' }, null);
      if (parsed.ok) expect(isHeldOutText(parsed.code, parsed.inputs[0] ?? '')).toBe(false);
    }
  });
});
