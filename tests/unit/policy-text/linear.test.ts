/** Reading costs what the text's length costs, whatever the text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openEnvelope, WRAPPERS } from '../../../src/policy/text/envelope.js';
import { readAnswer } from '../../../src/policy/text/extract.js';
import { parseFences } from '../../../src/policy/text/fences.js';
import { collectImports, readProgram, topLevelFunctions } from '../../../src/policy/text/program.js';
import { taskKinds } from '../../../src/tasks/index.js';
import { MAX_CODE_BYTES } from '../../../src/sandbox/limits.js';
import { countOperations } from './operations.js';

/** All ways of reading, one after the other: 15 readings of the text; at the most 87 were seen. */
const PER_CHARACTER = 120;
const BASE = 4000;

function readAll(text: string): void {
  for (const wrapper of WRAPPERS) {
    openEnvelope(wrapper, text);
    openEnvelope(wrapper, `T</think><answer>\\boxed{${text}`);
    openEnvelope(wrapper, `T</think><answer>${text}</answer>`);
  }
  for (const { parse } of Object.values(taskKinds)) {
    parse.proposal(readAnswer(text, 10));
    parse.solution(readAnswer(text, 10));
  }
  topLevelFunctions(text);
  collectImports(text);
  readProgram(text.slice(0, MAX_CODE_BYTES / 3));
  readProgram(`def go(x): 0\n${text.slice(0, MAX_CODE_BYTES / 4)}`);
}

const PIECES = [
  '```', '````', '~~~', '`', '```python\n', '```input\n', '```output\n', '```message\n', '\n```\n', '\n', '\r', '\r\n',
  ' ', '    ', '\t', '\u00a0', '<answer>', '</answer>', '<think>', '</think>', '</think> ', 'answer>', '\\boxed{', '{', '}',
  '# Input:', '# Output: ', '# Message:', 'input(', 'output(', ')', '<input>', '</input>', '<message>', 'the input is ',
  'the output is', 'def f(x):', 'def go(', '\ndef ', 'class A:', 'import a', 'from ', 'go', 'f', ';', ':', '"', "'", '"""', "'''",
  'f"', "rf'{", '\\', '#', '(', '[', '.', ',', '=', '1', 'é', '\ud800', '\u2028', 'Assistant:', 'User:',
]; // prettier-ignore

describe('hostile text', () => {
  it('of quadratic cost would be noticed', () => {
    const quadratic = (text: string): number =>
      countOperations(() => {
        for (let at = 0; at < text.length; at++) text.indexOf('>', at);
      }) / text.length;
    expect(quadratic('<'.repeat(12_000))).toBeGreaterThan(PER_CHARACTER);
  });

  it.each(PIECES)('of %j alone costs as much a character when it is longer', (piece) => {
    const work = (length: number): number => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      return countOperations(() => readAll(text)) / text.length;
    };
    const [short, long] = [work(3_000), work(12_000)];
    expect(long).toBeLessThan(short * 1.1 + 2);
    expect(long).toBeLessThan(PER_CHARACTER);
  });

  it('of any pieces, repeated, is read without an exception at a bounded cost a character', () => {
    const some = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(some, some, some, fc.integer({ min: 1, max: 300 }), (before, repeated, after, times) => {
        const text = before.join('') + repeated.join('').repeat(times) + after.join('');
        const operations = countOperations(() => readAll(text));
        expect(operations).toBeLessThan(BASE + PER_CHARACTER * text.length);
      }),
      { numRuns: 100 },
    );
  });

  it('of arbitrary characters is read without an exception', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.array(fc.constantFrom(...PIECES)),
        (a, b) => {
          readAll(a);
          readAll(b.join(''));
          readAll(b.join(a));
        },
      ),
    );
  });

  it('of 10 MB is read', () => {
    const program = 'def f(x):\n    return x';
    const answer = `\`\`\`python\n${program}\n\`\`\`\n\`\`\`input\n1\n\`\`\``;
    const thought = 'x <answer> ``` """ '.repeat(Math.ceil(10_000_000 / 19));
    const operations = countOperations(() => {
      const envelope = openEnvelope('think', `${thought}</think>\n<answer>\n${answer}\n</answer>`);
      expect(envelope.formatOk).toBe(true);
      expect(envelope.answer).toBe(answer);
      expect(readAnswer(envelope.answer ?? '', 10).programAndInput()).toMatchObject({
        ok: true,
        code: program,
        inputs: ['1'],
      });
    });
    expect(operations).toBeLessThan(10 * thought.length);
    for (const [piece, blocks] of [
      ['`', 1],
      ['x', 0],
      ['~~~x\n', 1],
      ['\n', 0],
    ] as const)
      expect(parseFences(piece.repeat(10_000_000 / piece.length))).toHaveLength(blocks);
    expect(readProgram('('.repeat(10_000_000))).toMatchObject({ ok: false, reason: 'code-too-long' });
  });
});
