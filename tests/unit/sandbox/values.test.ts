import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalLiterals, isLiteralArguments, literalKey, parseLiteral } from '../../../src/sandbox/values.js';

const PYTHON = '/usr/bin/python3.11';
const SCRIPT = fileURLToPath(new URL('./value_pairs.py', import.meta.url));
/** AZR_VALUE_PAIRS=200000 widens the comparison with CPython. */
const COUNT = Number(process.env['AZR_VALUE_PAIRS'] ?? 20_000);
const SEED = Number(process.env['AZR_VALUE_SEED'] ?? 1);

function cpython<T>(mode: 'pairs' | 'texts', count: number): readonly T[] {
  const { stdout, stderr, status } = spawnSync(PYTHON, ['-I', SCRIPT, mode, String(count), String(SEED)], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`value_pairs.py ended with ${status}: ${stderr}`);
  return stdout.split('\n').map((line) => JSON.parse(line) as T);
}

describe('equality of literals', () => {
  it.each([
    ['True', '1'],
    ['1', '1.0'],
    ['True', '(1+0j)'],
    ['-0.0', '0'],
    ['9007199254740992', '9007199254740992.0'],
    ['{1, 2}', 'frozenset({2, 1})'],
    ['{1: "a", True: "b"}', '{1.0: "b"}'],
    ['{"a": 1, "b": 2}', "{'b': 2, 'a': 1}"],
    ['set()', 'frozenset()'],
    ["'a' 'b'", '"ab"'],
    ["'\\x41\\u0042\\103'", "'ABC'"],
    ['"""a\nb"""', "'a\\nb'"],
    ["r'\\n'", "'\\\\n'"],
    ["b'\\x00\\xff'", "b'\\000\\377'"],
    ['1_000', '0x3e8'],
    ['1, 2', '(1, 2)'],
    ['(1)', '1'],
    ['1e400', 'inf'],
    ["float('-inf')", '-inf'],
    ['(inf-2j)', '(inf-2j)'],
    ['[1, # one\n 2]', '[1,2]'],
    ['  [1]\n', '[1]'],
    ['{(1, frozenset({2}))}', '{(True, frozenset([2.0]))}'],
  ])('%s == %s', (a, b) => {
    expect(equalLiterals(a, b)).toBe(true);
  });

  it.each([
    ['9007199254740993', '9007199254740992.0'],
    ['[1]', '(1,)'],
    ["'a'", "b'a'"],
    ["'\\ud83d\\ude00'", "'\\U0001f600'"],
    ['{}', 'set()'],
    ['[]', '()'],
    ['None', 'False'],
    ["'1'", '1'],
    ['nan', 'nan'],
    ["[float('nan')]", "[float('nan')]"],
    ['0.1', '0.10000000000000002'],
    ['1+1', '2'],
    ['__import__("os")', '1'],
  ])('%s != %s', (a, b) => {
    expect(equalLiterals(a, b)).toBe(false);
  });

  it.each([
    'dict(a=1)',
    'x=dict(a=1)',
    'list(range(3))',
    'len([1])',
    '1 + 1',
    '[0] * 3',
    'lambda: 1',
    '*[1]',
    'f(1)',
  ])('no argument list of literals: %s', (text) => {
    expect(isLiteralArguments(text)).toMatchObject({ ok: false });
  });

  it.each(["{'a': 1}", "x={'a': 1}, y=(1,)", 'dict({1: 2})', 'set([1]), frozenset()', 'range(3)'])(
    'an argument list of literals: %s',
    (text) => {
      expect(isLiteralArguments(text)).toEqual({ ok: true });
    },
  );

  it('reads an astral character as one character', () => {
    expect(equalLiterals("'\u{1f600}'", "'\\U0001f600'")).toBe(true);
  });

  it.skipIf(!existsSync(PYTHON))(`agrees with CPython on ${COUNT} random pairs`, { timeout: 600_000 }, () => {
    let equal = 0;
    for (const pair of cpython<{ a: string; b: string; equal: boolean }>('pairs', COUNT)) {
      if (!literalKey(pair.a).ok || !literalKey(pair.b).ok) expect.fail(`not read: ${JSON.stringify(pair)}`);
      if (equalLiterals(pair.a, pair.b) !== pair.equal) expect.fail(JSON.stringify(pair));
      if (pair.equal) equal++;
    }
    // The pairs say something only if both answers are common.
    expect(equal).toBeGreaterThan(COUNT / 5);
    expect(equal).toBeLessThan((COUNT * 4) / 5);
  });

  it.skipIf(!existsSync(PYTHON))(
    `reads what ast.literal_eval reads on ${COUNT} mutated texts`,
    { timeout: 600_000 },
    () => {
      let read = 0;
      for (const { text, value } of cpython<{ text: string; value: string | null }>('texts', COUNT)) {
        // Known differences: names of characters, and the constructors and infinities that only we accept.
        // An indented line after a comment line is an error of Python's grammar of statements only.
        if (/\\N|inf|nan|set|\.\.\.|^\s*#/.test(text)) continue;
        const parsed = parseLiteral(text);
        if (parsed.ok !== (value !== null))
          expect.fail(
            `${JSON.stringify({ text, value })} ${JSON.stringify(parsed, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
          );
        if (value === null) continue;
        read++;
        if (!equalLiterals(text, value)) expect.fail(JSON.stringify({ text, value }));
      }
      expect(read).toBeGreaterThan(COUNT / 20);
    },
  );
  if (!existsSync(PYTHON)) console.warn(`comparisons with CPython skipped: ${PYTHON} does not exist`);
});

describe('hostile texts', () => {
  it('never throws, and answers deep and long texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(typeof parseLiteral(text).ok).toBe('boolean');
        expect(typeof isLiteralArguments(text).ok).toBe('boolean');
      }),
      { numRuns: 3000 },
    );
    for (const open of ['[', '(', '{', '{1:', 'set(', '-(', '"""a', '\\', '1_', '#'])
      for (const size of [11, 1001, 200_001]) {
        expect(parseLiteral(open.repeat(size)).ok).toBe(false);
        expect(isLiteralArguments(open.repeat(size)).ok).toBe(open === '#');
      }
    expect(parseLiteral('9'.repeat(4300)).ok).toBe(true);
    expect(parseLiteral('9'.repeat(4301)).ok).toBe(false);
    expect(parseLiteral(`0x${'f'.repeat(500_000)}`).ok).toBe(true);
    expect(parseLiteral('1,'.repeat(600_000)).ok).toBe(false);
    expect(parseLiteral('\ud800').ok).toBe(false);
    expect(parseLiteral("'\ud800'").ok).toBe(true);
    expect(parseLiteral('1\0').ok).toBe(false);
  });

  it('accepts every literal as an argument and nothing that runs', () => {
    for (const good of [
      '',
      '1',
      '1, "a"',
      'x=1',
      '[1], y={"a": (None,)}',
      '1,',
      'set(), frozenset({1})',
      "float('inf')",
      'range(1, 9, 2)',
      '-1.5, 2-3j',
      '1 # x',
    ])
      expect([good, isLiteralArguments(good)]).toEqual([good, { ok: true }]);
    for (const bad of [
      '1) or True or (1',
      'f(1)',
      '(f:=1)',
      '*[1]',
      '**{}',
      'lambda: 1',
      '[x for x in [1]]',
      '1 if 1 else 2',
      'a',
      '1+1',
      "f'{1}'",
      'x=1, 2',
      'x=1, x=2',
      'None=1',
      'open("x")',
      'set(x)',
      '1; 2',
      '1,,2',
      ',',
      '"a".b',
      '[1][0]',
      'not 1',
      '~1',
      '1 < 2',
      'list({1, 2})',
      '...',
      'await 1',
      '1\n)\nimport os\n(1',
    ])
      expect([bad, isLiteralArguments(bad).ok]).toEqual([bad, false]);
  });
});
