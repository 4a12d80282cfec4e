import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tinyHeldOut } from '../../../src/evaluation/tiny-held-out.js';
import { tinyCodec } from '../../../src/policy/tiny/codec.js';
import { drawInput, drawProgram, isHeldOut, isHeldOutText } from '../../../src/policy/tiny/generator.js';
import { accepts, INDUCTION_INPUTS, TINY_GRAMMAR } from '../../../src/policy/tiny/grammar.js';
import {
  MAX_OPERATIONS,
  OPERATIONS,
  parseList,
  parseProgram,
  renderList,
  renderProgram,
  trace,
} from '../../../src/policy/tiny/operations.js';
import { tokensToText, VOCABULARY } from '../../../src/policy/tiny/vocabulary.js';
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
};

describe('the tiny domain', () => {
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
        expect(row.prompt.length + row.completion.length).toBeLessThanOrEqual(80);
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

describe('the codec', () => {
  it('solves what the warm-up teaches: each taught completion parses to a right answer', () => {
    for (const row of warmUpRows(3, 600, MIX)) {
      if (!row.group.startsWith('solve')) continue;
      const kind = row.group.slice('solve.'.length) as Task['kind'];
      const solution = tinyCodec.parseSolution(kind, { tokens: row.completion, finish: 'end' });
      expect(solution.formatOk).toBe(true);
      if (kind === 'induction') expect(parseProgram(solution.answer ?? '')).toBeDefined();
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
    for (const row of warmUpRows(11, 3000, MIX)) {
      if (row.group !== 'propose.deduction') continue;
      const parsed = tinyCodec.parseProposal('deduction', { tokens: row.completion, finish: 'end' }, null);
      if (parsed.ok) expect(isHeldOutText(parsed.code, parsed.inputs[0] ?? '')).toBe(false);
    }
  });
});
