/** What is thrown at the sandbox: programs of the grammar, attacks that were mutated, and random texts. */
import { seedOf } from '../../src/coordinates.js';
import { Random } from '../../src/random.js';
import { Grammar } from './grammar.js';

export const FAMILIES = ['grammar', 'mutant', 'bytes'] as const;
export type Family = (typeof FAMILIES)[number];

export interface FuzzCase {
  /** `seed/number`: the same case on every machine. */
  readonly id: string;
  readonly family: Family;
  readonly code: string;
  readonly inputs: readonly string[];
}

/** What mutants are made of. */
export interface Material {
  readonly code: string;
  readonly input: string;
}

/** Pieces that are put into mutants: ways to reach what a program should not. */
const PIECES: readonly string[] = [
  '__import__("os")',
  'globals()',
  'type(a)',
  '().__class__.__base__.__subclasses__()',
  'sys._getframe()',
  'import os, sys, gc, ctypes, builtins',
  'while True: pass',
  'return f',
  'raise SystemExit',
  'os.write(3, b"\\x02\\x00\\x00\\x00V1")',
  'os._exit(0)',
  'builtins.len = None',
  'lambda: 0',
  'yield a',
  'del f',
  'global f',
  'f = 1',
  'class f: pass',
  '"""',
  '\\\n',
  '\t',
  '\r',
  '\u2028',
  '\ud800',
  '\0',
  '#',
  '(((((((((',
  '1) or True or (1',
  '*[1]',
  '**{}',
  'x:=1',
  'nan',
  '-0.0',
  "b'\\xff'",
  '{**{}}',
  '9**9**9',
  '[[]]*10**9',
  'async def f(a): pass',
  'match a:\n  case _: return 1',
];

/** Case `number` of the fuzz run `seed`. */
export function fuzzCase(seed: number, number: number, material: readonly Material[]): FuzzCase {
  const random = new Random(seedOf('fuzz', seed, number));
  const share = random.uniform();
  const id = `${seed}/${number}`;
  if (share < 0.5) return { id, family: 'grammar', ...new Grammar(random).program() };
  if (share < 0.85) return { id, family: 'mutant', ...mutant(random, material) };
  return { id, family: 'bytes', ...bytes(random) };
}

function mutant(random: Random, material: readonly Material[]): Omit<FuzzCase, 'id' | 'family'> {
  const pick = (): Material => material[random.below(material.length)] as Material;
  const first = pick();
  let { code, input } = first;
  for (let changes = 1 + random.below(4); changes > 0; changes--)
    switch (random.below(7)) {
      case 0: {
        // A line goes, comes twice or moves.
        const lines = code.split('\n');
        const i = random.below(lines.length);
        const [line = ''] = lines.splice(i, 1);
        const copies = random.below(3);
        for (let k = 0; k < copies; k++) lines.splice(random.below(lines.length + 1), 0, line);
        code = lines.join('\n');
        break;
      }
      case 1: {
        // A piece goes in between words.
        const at = random.below(code.length + 1);
        code = code.slice(0, at) + (PIECES[random.below(PIECES.length)] as string) + code.slice(at);
        break;
      }
      case 2: {
        // A line of its own inside the body.
        const lines = code.split('\n');
        const i = random.below(lines.length + 1);
        const indent = /^\s*/.exec(lines[i] ?? ' ')?.[0] ?? '';
        lines.splice(i, 0, indent + (PIECES[random.below(PIECES.length)] as string));
        code = lines.join('\n');
        break;
      }
      case 3:
        // Two attacks, one after the other; the last f counts.
        code = `${pick().code}\n${code}`;
        break;
      case 4: {
        const at = random.below(code.length + 1);
        code = code.slice(0, at) + code.slice(at + 1 + random.below(6));
        break;
      }
      case 5:
        input =
          random.below(2) === 0 ? pick().input : input + (PIECES[random.below(PIECES.length)] as string);
        break;
      case 6: {
        // A number becomes another one.
        const to = ['0', '1', '-1', '3', '64', '1 << 20', '10**9', '2**63'][random.below(8)] as string;
        const numbers = [...code.matchAll(/\d+/g)];
        const found = numbers[random.below(Math.max(1, numbers.length))];
        if (found !== undefined)
          code = code.slice(0, found.index) + to + code.slice(found.index + found[0].length);
        break;
      }
    }
  const inputs = random.below(3) === 0 ? [input, first.input, '2'] : [input];
  return { code, inputs };
}

function bytes(random: Random): Omit<FuzzCase, 'id' | 'family'> {
  const text = (length: number): string =>
    Array.from({ length }, () => {
      const kind = random.below(10);
      if (kind < 5) return String.fromCharCode(32 + random.below(95));
      if (kind < 7) return ['\n', '\t', ' ', '(', ')', ':', '"', "'", '\\'][random.below(9)] as string;
      if (kind < 9) return String.fromCharCode(random.below(256));
      return String.fromCharCode(random.below(0x10000));
    }).join('');
  const body = text(random.below(random.below(8) === 0 ? 4000 : 60));
  const code = [body, `def f(a):\n return ${body}`, `def f(a):\n return a\n${body}`, `def f(a): ${body}`][
    random.below(4)
  ];
  return {
    code: code ?? body,
    inputs: Array.from({ length: 1 + random.below(2) }, () => text(random.below(20))),
  };
}
