/** The tiny domain with error prediction and composite programs; and that it is, without them, what it was. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PromptTooLongError } from '../../../src/policy/text/codec.js';
import { withEntryRenamed } from '../../../src/policy/text/program.js';
import { tinyCodec } from '../../../src/policy/tiny/codec.js';
import { PLAIN, tinyFeatures, type TinyFeatures } from '../../../src/policy/tiny/features.js';
import { isHeldOutText } from '../../../src/policy/tiny/generator.js';
import { accepts, tinyGrammar } from '../../../src/policy/tiny/grammar.js';
import { MAX_OPERATIONS, renderList, renderProgram } from '../../../src/policy/tiny/operations.js';
import {
  expandedOperations,
  GIVEN,
  mostExpanded,
  renderOperations,
  runOperations,
} from '../../../src/policy/tiny/programs.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';
import { ADDED_SYMBOLS, CALL, token, tokensToText, VOCABULARY } from '../../../src/policy/tiny/vocabulary.js';
import { warmUpRows } from '../../../src/policy/tiny/warm-up.js';
import { tinyHeldOut } from '../../../src/evaluation/tiny-held-out.js';
import { composedProgram } from '../../../src/tasks/composite.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { Task, TaskKind } from '../../../src/tasks/types.js';

const MIX = {
  proposeShare: 0.4,
  proposeLengths: [1, 1, 1],
  solveLengths: [1, 1, 1],
  thinkShares: [0.5, 0.5, 0.5],
  kinds: [1, 1, 1],
  maxReferences: 2,
  directLengths: null,
  inductionTargets: 'drawn',
} as const;
const MODEL = { layers: 1, width: 8, heads: 2, hidden: 8, context: 96 };
const BOTH: TinyFeatures = { ...PLAIN, error: true, composite: true };
const EXTENDED: readonly TinyFeatures[] = [BOTH, { ...BOTH, error: false }, { ...BOTH, composite: false }];
const digest = (data: Uint8Array | string): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 16);
const taskOf = (kind: TaskKind, code: string, outputs = ['[1]']): Task => ({
  taskId: 't',
  kind,
  code,
  inputs: ['[3, 1, 2]'],
  outputs,
  message: null,
});

describe('without error prediction and composite programs', () => {
  it('vocabulary, grammar and warm-up are those of the plain domain, bit for bit', () => {
    const { vocabulary, grammar } = tinySpec(MODEL);
    expect(vocabulary).toBe(36);
    expect(grammar?.states).toBe(189);
    expect(digest(grammar?.allowed ?? '')).toBe('8d8cc15788ae7546');
    expect(digest(Buffer.from(grammar?.next.buffer ?? new ArrayBuffer(0)))).toBe('1770effbfcae3bc1');
    expect(digest(JSON.stringify(warmUpRows(5, 500, { ...MIX, maxReferences: 3 })))).toBe('4c2fffce7ae06712');
    expect(tinyGrammar(PLAIN).start).not.toHaveProperty(['solve.error']);
  });
});

describe('the vocabulary', () => {
  it('has the new symbols behind the old ones, each once', () => {
    for (const features of EXTENDED)
      expect(tinySpec(MODEL, features).vocabulary).toBe(VOCABULARY + ADDED_SYMBOLS.length);
    expect(ADDED_SYMBOLS.map(token)).toEqual(ADDED_SYMBOLS.map((_, i) => VOCABULARY + i));
  });

  it('is asked for by the configuration', () => {
    const schedule = {
      enabled: false,
      start: 1,
      every: 1,
      functionsStep: 1,
      functionsLimit: 1,
      chanceStep: 0,
      chanceLimit: 0,
    };
    const composite = { chance: 0, minFunctions: 1, maxFunctions: 1, startIteration: 1, schedule };
    expect(tinyFeatures({}, { kinds: ['deduction'], composite })).toEqual(PLAIN);
    expect(tinyFeatures({}, { kinds: ['error'], composite: { ...composite, chance: 0.1 } })).toEqual(BOTH);
  });
});

describe('the grammar of an extended run', () => {
  it.each(EXTENDED)('%j accepts every warm-up completion, and no beginning of one', (features) => {
    const grammar = tinyGrammar(features);
    const groups = new Set<string>();
    let called = 0;
    for (let seed = 0; seed < 10; seed++)
      for (const row of warmUpRows(seed, 120, MIX, features)) {
        groups.add(row.group);
        called += row.group.startsWith('propose') && row.completion.includes(CALL) ? 1 : 0;
        expect(accepts(grammar, row.group, row.completion), tokensToText(row.completion)).toBe(true);
        expect(accepts(grammar, row.group, row.completion.slice(0, -1))).toBe(false);
        expect(row.prompt.length + row.completion.length).toBeLessThanOrEqual(96);
      }
    expect(groups.has('solve.error')).toBe(features.error);
    expect(called > 0).toBe(features.composite);
  });

  it('keeps partial operations to error prediction, and g to composite programs', () => {
    const partial = [token('append-fifth'), token(';'), token('1'), token('2'), token('3'), token('<end>')];
    const call = [CALL, ...partial.slice(1)];
    const [all, noError, noComposite] = EXTENDED.map(tinyGrammar);
    if (all === undefined || noError === undefined || noComposite === undefined)
      throw new Error('three grammars');
    expect(accepts(all, 'propose.error', partial)).toBe(true);
    expect(accepts(all, 'propose.deduction', partial)).toBe(false);
    expect(accepts(noError, 'propose.error', partial)).toBe(false);
    expect(accepts(noError, 'propose.deduction', call)).toBe(true);
    expect(accepts(noComposite, 'propose.deduction', call)).toBe(false);
  });

  it('gives a way on everywhere, and ends within the longest completions', () => {
    const { allowed, next, start, vocabulary } = tinyGrammar(BOTH);
    /** Longest way from a state to the end: the automaton has no loop before it. */
    const longest = new Map<number, number>();
    const from = (state: number): number => {
      const known = longest.get(state);
      if (known !== undefined) return known;
      let best = -Infinity;
      for (let t = 0; t < vocabulary; t++)
        if (allowed[state * vocabulary + t] === 1)
          best = Math.max(best, t === token('<end>') ? 1 : 1 + from(next[state * vocabulary + t] ?? -1));
      longest.set(state, best);
      expect(best).toBeGreaterThan(0);
      return best;
    };
    const code = composedProgram(
      [withEntryRenamed(renderProgram([0, 1, 2]), 'g_0')],
      renderOperations([GIVEN, 2]),
    );
    for (const [name, state] of Object.entries(start)) {
      const [role, kind] = name.split('.') as [string, TaskKind];
      const prompt =
        role === 'propose'
          ? tinyCodec.proposePrompt(kind, [], renderProgram([0]))
          : tinyCodec.solvePrompt(kind, taskKinds[kind].solve(taskOf(kind, code)));
      expect(from(state), name).toBeLessThanOrEqual(prompt.maxTokens);
      expect(prompt.tokens.length + prompt.maxTokens).toBeLessThanOrEqual(96);
    }
  });
});

describe('the codec', () => {
  const given = withEntryRenamed(renderProgram([2, 1]), 'g_0');
  const proposal = (...operations: string[]): { tokens: number[]; finish: 'end' } => ({
    tokens: [...operations, ';', '3', '1', '2', '<end>'].map(token),
    finish: 'end',
  });

  it('shows the given function before the references', () => {
    const { tokens } = tinyCodec.proposePrompt(
      'deduction',
      [{ code: renderProgram([0]), input: '[1, 2, 3]', output: '[3, 2, 1]' }],
      null,
      [given],
    );
    expect(tokensToText(tokens)).toBe('propose.deduction g tail sort # reverse ; 1 2 3');
  });

  it('writes the call as Python, without the definition', () => {
    const parsed = tinyCodec.parseProposal('deduction', proposal('reverse', 'g'), null, [given]);
    expect(parsed).toMatchObject({
      ok: true,
      code: 'def f(x):\n    x = x[::-1]\n    x = g_0(x)\n    return x',
      inputs: ['[3, 1, 2]'],
    });
  });

  it('refuses a call of what is not given, and what leaves the bounds', () => {
    expect(tinyCodec.parseProposal('deduction', proposal('g'), null)).toMatchObject({
      ok: false,
      formatOk: true,
      reason: 'not-given',
    });
    expect(tinyCodec.parseProposal('deduction', proposal('g', 'g', 'sort'), null, [given])).toMatchObject({
      ok: false,
      formatOk: true,
      reason: 'out-of-bounds',
    });
    const growing = withEntryRenamed(renderProgram([7, 7, 8]), 'g_0');
    const long = {
      tokens: ['g', 'append-first', ';', '1', '2', '3', '4', '<end>'].map(token),
      finish: 'end',
    } as const;
    expect(tinyCodec.parseProposal('deduction', long, null, [growing])).toMatchObject({
      reason: 'out-of-bounds',
    });
  });

  it('takes one function of the domain', () => {
    expect(() => tinyCodec.proposePrompt('deduction', [], null, [given, given])).toThrow(
      /functions has 2 definitions.*accepted is one g_0/s,
    );
    expect(() => tinyCodec.proposePrompt('deduction', [], null, ['def g_0(x): return 1'])).toThrow(
      /accepted is one/,
    );
  });

  it('shows a solver the expansion', () => {
    const code = composedProgram([given], renderOperations([0, GIVEN]));
    const prompt = tinyCodec.solvePrompt('deduction', taskKinds.deduction.solve(taskOf('deduction', code)));
    expect(tokensToText(prompt.tokens)).toBe('solve.deduction reverse tail sort ; 3 1 2');
    expect(expandedOperations(code)).toEqual([0, 2, 1]);
    expect(expandedOperations(code.replace('g_0(x):', 'g_1(x):'))).toBeUndefined();
  });

  it('asks for no inputs of a program that no answer could hold', () => {
    const long = composedProgram(
      [withEntryRenamed(renderProgram([0, 1, 2]), 'g_0')],
      renderOperations([GIVEN, 2]),
    );
    expect(() => tinyCodec.proposePrompt('induction', [], long)).toThrow(PromptTooLongError);
    const short = composedProgram([given], renderOperations([GIVEN, 2]));
    expect(tokensToText(tinyCodec.proposePrompt('induction', [], short).tokens)).toBe(
      'propose.induction tail sort tail',
    );
  });

  it('reads the class that a solver of an error task names', () => {
    const tokens = ['<think>', 'sort', '1', '2', '</think>', 'ZeroDivisionError', '<end>'].map(token);
    expect(tinyCodec.parseSolution('error', { tokens, finish: 'end' })).toEqual({
      formatOk: true,
      thought: 'sort 1 2',
      answer: 'ZeroDivisionError',
    });
  });

  it('solves what the warm-up teaches: each taught completion is right', () => {
    for (const row of warmUpRows(3, 800, MIX, BOTH)) {
      if (row.group !== 'solve.error' && row.group !== 'solve.deduction') continue;
      const at = row.prompt.indexOf(token(';'));
      const words = tokensToText(row.prompt.slice(at + 1));
      const names = tokensToText(row.prompt.slice(1, at)).split(' ');
      const code = tinyCodec.parseProposal(
        row.group.slice('solve.'.length) as TaskKind,
        {
          tokens: [
            ...row.prompt.slice(1, Math.min(at, 4)),
            token(';'),
            ...row.prompt.slice(at + 1),
            token('<end>'),
          ],
          finish: 'end',
        },
        null,
      );
      if (names.length > 3 || !code.ok) continue;
      const { states, error } = runOperations(
        expandedOperations(code.code) ?? [],
        words.split(' ').map(Number),
      );
      const { answer } = tinyCodec.parseSolution(row.group.slice('solve.'.length) as TaskKind, {
        tokens: row.completion,
        finish: 'end',
      });
      expect(answer).toBe(row.group === 'solve.error' ? error : renderList(states.at(-1) ?? []));
    }
  });
});

describe('what is held out', () => {
  it('is so in a composite program too, by its expansion', () => {
    const examples = tinyHeldOut(20).filter(
      ({ bucket, task }) => bucket === 'length 3' && task.kind === 'deduction',
    );
    expect(examples.length).toBe(20);
    for (const { task } of examples) {
      const [first = 0, ...rest] = expandedOperations(task.code) ?? [];
      const code = composedProgram(
        [withEntryRenamed(renderProgram(rest), 'g_0')],
        renderOperations([first, GIVEN]),
      );
      expect(isHeldOutText(code, task.inputs[0] ?? '')).toBe(true);
    }
  });

  it('is never drawn by the warm-up, whatever it adds', () => {
    let seen = 0;
    for (const row of warmUpRows(11, 4000, MIX, BOTH)) {
      if (!/^(propose|solve)\.(deduction|error)$/.test(row.group)) continue;
      const propose = row.group.startsWith('propose');
      const line = propose ? row.completion.slice(0, -1) : row.prompt.slice(1);
      const at = line.indexOf(token(';'));
      if (line.slice(0, at).includes(CALL)) continue;
      const names = tokensToText(line.slice(0, at));
      if (/append-fifth|nine-over|assert-sorted/.test(names)) continue;
      const parsed = tinyCodec.parseProposal(
        'error',
        { tokens: [...line.slice(0, Math.min(at, 3)), ...line.slice(at), token('<end>')], finish: 'end' },
        null,
      );
      if (!parsed.ok || at > 3) continue;
      seen += 1;
      expect(isHeldOutText(parsed.code, parsed.inputs[0] ?? '')).toBe(false);
    }
    expect(seen).toBeGreaterThan(500);
  });
});

it('programs reach no further than the bounds say', () => {
  expect(mostExpanded(MAX_OPERATIONS)).toBe(4);
  expect(runOperations([2, 2, 12], [1, 2, 3])).toEqual({ states: [[2, 3], [3]], error: 'IndexError' });
  expect(() => runOperations([GIVEN], [1])).toThrow(/holds 15; accepted are indices 0 to 14/);
});
