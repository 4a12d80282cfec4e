/**
 * Random programs from a grammar of Python: typed enough to run most of the time, mixed enough to reach the constructs
 * that an executor may trip over (generators, classes, closures, exceptions, matching, mutation, recursion, modules).
 * Loops and recursion are bounded, so that a program ends; values may still grow past every limit.
 */
import type { Random } from '../../src/random.js';

type Kind = 'int' | 'str' | 'list' | 'dict' | 'set' | 'bool';
const KINDS: readonly Kind[] = ['int', 'str', 'list', 'dict', 'set', 'bool'];

/** What expressions use. */
const ALWAYS = 'import math, itertools, functools, collections, re';
/** Shows what another program or an earlier call left behind: nothing of it is defined here. */
const WITNESS =
  'try:\n state += 1\nexcept NameError:\n state = 0\n' +
  'try:\n left = [callable(g0), callable(f)]\nexcept NameError:\n left = None';
const IMPORTS = [
  'import math',
  'import itertools',
  'import functools',
  'import collections',
  'import re',
  'import heapq',
  'import bisect',
  'import string',
  'import copy',
  'import operator',
  'import json',
  'import textwrap',
  'import decimal',
  'from collections import Counter, deque, defaultdict, OrderedDict, namedtuple',
  'from functools import reduce, lru_cache, partial',
  'from itertools import chain, product, permutations, accumulate, groupby',
  'from dataclasses import dataclass, field',
  'from enum import Enum',
  'from typing import List, Dict, Optional',
  'from fractions import Fraction',
] as const;

export class Grammar {
  private readonly random: Random;
  private names: { readonly name: string; readonly kind: Kind }[] = [];
  private depth = 0;
  private fresh = 0;
  private budget = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** A program that defines f, and argument texts for it. */
  program(): { readonly code: string; readonly inputs: readonly string[] } {
    this.names = [];
    this.fresh = 0;
    this.budget = 40;
    const parameters = Array.from({ length: 1 + this.random.below(3) }, (_, i) => ({
      name: `a${i}`,
      kind: this.pick(KINDS),
    }));
    const witness = this.chance(0.3);
    const imports = [
      ALWAYS,
      ...(witness ? [WITNESS] : []),
      ...Array.from({ length: this.random.below(3) }, () => this.pick(IMPORTS)),
    ];
    const helpers = Array.from({ length: this.random.below(3) }, () => this.helper());
    this.names = [...parameters];
    const last = parameters.length - 1;
    const header = parameters.map(({ name, kind }, i) =>
      i === last && this.chance(0.2) ? `${name}=${this.literal(kind)}` : name,
    );
    const body = this.block(1, 3 + this.random.below(6));
    const code = [
      ...imports,
      ...helpers,
      `def f(${header.join(', ')}):`,
      ...body,
      ` return ${witness ? `[state, left, ${this.result()}]` : this.result()}`,
    ].join('\n');
    const inputs = Array.from({ length: 1 + this.random.below(3) }, () =>
      parameters.map(({ kind }) => this.literal(this.chance(0.05) ? this.pick(KINDS) : kind)).join(', '),
    );
    return { code: `${code}\n`, inputs };
  }

  /** A literal of a kind. */
  literal(kind: Kind, depth = 0): string {
    const n = this.random.below(5);
    const many = (one: () => string): string => Array.from({ length: n }, one).join(', ');
    switch (kind) {
      case 'int':
        return this.pick([
          '0',
          '1',
          '-1',
          '7',
          '255',
          '1000003',
          '-42',
          '10',
          '9223372036854775807',
          '3',
          '2',
        ]);
      case 'bool':
        return this.pick(['True', 'False']);
      case 'str':
        return this.pick([
          "''",
          "'a'",
          "'hello world'",
          "'\\x00\\n'",
          "'\\u00e9\\U0001f600'",
          "'aAbB 12'",
          '"it\'s"',
          "'a,b,,c'",
          "r'\\d+'",
        ]);
      case 'list':
        return `[${many(() => (depth < 2 && this.chance(0.15) ? this.literal('list', depth + 1) : this.literal('int')))}]`;
      case 'set':
        return n === 0 ? 'set()' : `{${many(() => this.literal('int'))}}`;
      case 'dict':
        return `{${many(() => `${this.literal('str')}: ${this.literal('int')}`)}}`;
    }
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.random.below(items.length)] as T;
  }

  private chance(probability: number): boolean {
    return this.random.uniform() < probability;
  }

  private newName(kind: Kind): string {
    const name = `v${this.fresh++}`;
    this.names.push({ name, kind });
    return name;
  }

  private variable(kind: Kind): string | undefined {
    const fitting = this.names.filter((known) => known.kind === kind);
    return fitting.length === 0 ? undefined : this.pick(fitting).name;
  }

  private result(): string {
    const some = (): string => this.expression(this.pick(KINDS));
    return this.pick([
      some,
      some,
      () => `[${some()}, ${some()}]`,
      () => `(${some()}, ${some()})`,
      () => `{'r': ${some()}}`,
      () => `str(${some()})`,
      () => `sorted(${this.expression('list')}, key=repr)`,
    ])();
  }

  private helper(): string {
    const name = `g${this.fresh++}`;
    const outer = this.names;
    this.names = [{ name: 'x', kind: 'int' }];
    const text = this.pick([
      () =>
        `def ${name}(x, n=3):\n if n <= 0:\n  return x\n return ${name}(${this.expression('int')}, n - 1)`,
      () => `def ${name}(x):\n for i in range(${this.random.below(6)}):\n  yield ${this.expression('int')}`,
      () =>
        `class ${name.toUpperCase()}:\n count = 0\n def __init__(self, x):\n  self.x = x\n def __eq__(self, o):\n  return ${this.expression('bool')}\n def __hash__(self):\n  return 1\n def __repr__(self):\n  return ${this.expression('str')}\n def __len__(self):\n  return 3`,
      () => `${name} = lambda x: ${this.expression('int')}`,
      () => `def ${name}(x, seen=[]):\n seen.append(x)\n return len(seen)`,
      () => `@(lambda g: lambda *a: g(*a))\ndef ${name}(x):\n return ${this.expression('int')}`,
      () => `${name} = 0\ndef bump_${name}():\n global ${name}\n ${name} += 1\n return ${name}`,
      () => `class ${name.toUpperCase()}(Exception):\n pass`,
    ])();
    this.names = outer;
    return text;
  }

  private block(indent: number, count: number): string[] {
    const known = this.names.length;
    const lines = Array.from({ length: Math.max(1, count) }, () => this.statement(indent)).flat();
    if (indent > 1) this.names.length = Math.min(this.names.length, known);
    return lines;
  }

  private statement(indent: number): string[] {
    const pad = ' '.repeat(indent);
    const inner = (): string[] => this.block(indent + 1, 1 + this.random.below(3));
    const kind = this.pick(KINDS);
    const simple = (): string[] => {
      const value = this.expression(kind);
      return [`${pad}${this.newName(kind)} = ${value}`];
    };
    if (--this.budget < 0 || indent > 4) return simple();
    const nested: readonly (() => string[])[] = [
      () => [
        `${pad}if ${this.expression('bool')}:`,
        ...inner(),
        ...(this.chance(0.5) ? [`${pad}else:`, ...inner()] : []),
      ],
      () => [`${pad}for i${indent} in range(${this.random.below(5)}):`, ...inner()],
      () => [
        `${pad}for e${indent} in ${this.expression('list')}[:5]:`,
        ...inner(),
        ...(this.chance(0.3) ? [`${pad} ${this.pick(['break', 'continue', 'pass'])}`] : []),
        ...(this.chance(0.2) ? [`${pad}else:`, ...inner()] : []),
      ],
      () => [
        `${pad}w${indent} = 0`,
        `${pad}while w${indent} < ${this.random.below(5)}:`,
        `${pad} w${indent} += 1`,
        ...inner(),
      ],
      () => [
        `${pad}try:`,
        ...inner(),
        `${pad}except ${this.pick(['Exception', '(ValueError, TypeError)', 'ZeroDivisionError', 'KeyError', 'BaseException'])} as error:`,
        ...inner(),
        ...(this.chance(0.4) ? [`${pad}finally:`, ...inner()] : []),
      ],
      () => [
        `${pad}def h${indent}(x, *rest, **named):`,
        `${pad} ${this.chance(0.3) ? 'yield' : 'return'} ${this.expression('int')}`,
      ],
      () => [
        `${pad}match ${this.expression(kind)}:`,
        `${pad} case 0 | '':`,
        ...this.block(indent + 2, 1),
        `${pad} case [first, *rest]:`,
        ...this.block(indent + 2, 1),
        `${pad} case {'a': found}:`,
        ...this.block(indent + 2, 1),
        `${pad} case _:`,
        ...this.block(indent + 2, 1),
      ],
      () => [
        `${pad}class C${indent}:`,
        `${pad} at = ${this.expression('int')}`,
        `${pad} def get(self): return self.at`,
        `${pad}${this.newName('int')} = C${indent}().get()`,
      ],
    ];
    const list = this.variable('list');
    const dict = this.variable('dict');
    const int = this.variable('int');
    const flat: readonly (() => string[])[] = [
      simple,
      simple,
      () =>
        list === undefined
          ? simple()
          : [
              `${pad}${list}.${this.pick([`append(${this.expression('int')})`, `extend(${this.expression('list')}[:9])`, 'reverse()', 'sort(key=str)', 'pop()', `insert(0, ${this.expression('int')})`])}`,
            ],
      () =>
        dict === undefined
          ? simple()
          : [`${pad}${dict}[${this.expression('str')}] = ${this.expression('int')}`],
      () =>
        int === undefined
          ? simple()
          : [
              `${pad}${int} ${this.pick(['+=', '-=', '*=', '//=', '%=', '^=', '|='])} ${this.expression('int')}`,
            ],
      () => {
        const value = this.expression('list');
        return [
          `${pad}${this.newName('int')}, *${this.newName('list')} = [len(str(q)) for q in ${value}] or [1]`,
        ];
      },
      () => [`${pad}assert ${this.expression('bool')} or True`],
      () => [`${pad}print(${this.expression(kind)})`],
      () =>
        this.chance(0.1)
          ? [
              `${pad}raise ${this.pick(['ValueError', 'KeyError', 'StopIteration', 'SystemExit', 'Exception'])}(${this.expression('str')})`,
            ]
          : simple(),
      () =>
        this.chance(0.1) && this.names.length > 3 ? [`${pad}del ${this.pick(this.names).name}`] : simple(),
    ];
    return this.pick(this.chance(0.4) ? nested : flat)();
  }

  private expression(kind: Kind): string {
    const variable = this.variable(kind);
    if (this.depth > 3 || this.chance(0.25)) return variable ?? this.literal(kind);
    this.depth++;
    const text = this.pick(this.forms(kind))();
    this.depth--;
    return text;
  }

  private forms(kind: Kind): readonly (() => string)[] {
    const [int, str, list, dict, set, bool] = KINDS.map((k) => () => this.expression(k)) as [
      () => string,
      () => string,
      () => string,
      () => string,
      () => string,
      () => string,
    ];
    switch (kind) {
      case 'int':
        return [
          () => `(${int()} ${this.pick(['+', '-', '*', '&', '|', '^'])} ${int()})`,
          () => `(${int()} ${this.pick(['//', '%'])} (${int()} or 3))`,
          () => `len(${this.pick([str, list, dict, set])()})`,
          () => `sum(q for q in ${list()}[:9] if isinstance(q, int))`,
          () => `(${int()} if ${bool()} else ${int()})`,
          () => `max([${int()}, ${int()}])`,
          () => `abs(${int()})`,
          () => `len(str((${list()} or [1])[${this.pick(['0', '-1', int()])}]))`,
          () => `${dict()}.get(${str()}, ${int()})`,
          () => `ord((${str()} or 'z')[0])`,
          () => `(lambda q: q + 1)(${int()})`,
          () => `(lambda q: ${int()})(${int()})`,
          () => `((${int()} % 7) ** (${int()} % 5))`,
          () => `(${int()} & 3) << (${int()} & 15)`,
          () => `-${int()}`,
          () => `int(str(${int()})[:9].strip('-') or 4)`,
          () => `${str()}.count('a')`,
          () => `next((len(str(q)) for q in ${list()} if q), ${int()})`,
          () => `divmod(${int()}, ${int()} or 5)[1]`,
          () => `round(${int()} / (${int()} or 7))`,
          () => `functools.reduce(lambda p, q: p + len(str(q)), ${list()}, ${int()})`,
          () => `math.gcd(${int()}, ${int()})`,
        ];
      case 'str':
        return [
          () => `(${str()} + ${str()})`,
          () => `${str()}[:${this.pick(['3', '-1', int()])}]`,
          () => `${str()}[::-1]`,
          () =>
            `${str()}.${this.pick(['upper()', 'lower()', 'strip()', 'title()', "replace('a', 'b')", 'zfill(5)', 'swapcase()', "center(9, '*')"])}`,
          () => `str(${this.pick([int, list, bool])()})`,
          () => `f"{${this.variable('int') ?? '7'}:>3}-{${this.variable('list') ?? '[]'}!r}"`,
          () => `('%s|%r' % (${int()}, ${int()}))`,
          () => `'{}:{}'.format(${int()}, ${int()})`,
          () => `''.join(sorted(${str()}))`,
          () => `(${str()} * (${int()} % 4))`,
          () => `repr(${this.pick([list, dict, int, str])()})`,
          () => `chr(${int()} % 256)`,
          () => `','.join(map(str, ${list()}))`,
          () => `re.sub('a', 'b', ${str()})`,
        ];
      case 'list':
        return [
          () =>
            `[${this.pick(['(q, q)', 'len(str(q))', 'q', 'str(q)'])} for q in ${list()} if ${this.pick(['q', 'True', 'str(q)'])}]`,
          () => `(${list()} + ${list()})`,
          () => `sorted(${list()}, key=str)`,
          () => `list(range(${int()} % 9))`,
          () => `list(${this.pick([dict, str])()})`,
          () => `[*${list()}, ${int()}]`,
          () => `${list()}[::${this.pick(['-1', '2', '1'])}]`,
          () => `list(map(lambda q: q, ${list()}))`,
          () => `list(zip(${list()}, ${list()}))`,
          () => `list(enumerate(${str()}))`,
          () => `sorted(${set()}, key=str)`,
          () => `${str()}.split(',')`,
          () => `[[p, q] for p in ${list()}[:3] for q in ${list()}[:3]]`,
          () => `list(itertools.chain(${list()}, ${list()}))`,
          () => `(${list()} * (${int()} % 3))`,
        ];
      case 'dict':
        return [
          () => `{str(q)[:9]: i for i, q in enumerate(${list()})}`,
          () => `{**${dict()}, ${str()}: ${int()}}`,
          () => `dict(zip(${str()}, ${list()}))`,
          () => `dict(sorted(${dict()}.items()))`,
          () => `(${dict()} | ${dict()})`,
          () => `dict(collections.Counter(${str()}))`,
        ];
      case 'set':
        return [
          () => `set(map(str, ${list()}))`,
          () => `{str(q) for q in ${list()}}`,
          () => `(${set()} ${this.pick(['|', '&', '-', '^'])} ${set()})`,
          () => `set(${str()})`,
          () => `frozenset(${str()})`,
        ];
      case 'bool':
        return [
          () => `(${int()} ${this.pick(['<', '<=', '>', '==', '!='])} ${int()})`,
          () => `(${int()} < ${int()} <= ${int()})`,
          () => `(${bool()} ${this.pick(['and', 'or'])} ${bool()})`,
          () => `(not ${bool()})`,
          () => `(${str()} in ${str()})`,
          () => `isinstance(${this.pick([int, str, list])()}, ${this.pick(['int', 'str', '(list, dict)'])})`,
          () => `any(${list()})`,
          () => `all(${list()})`,
          () => `(${list()} == ${list()})`,
          () => `bool(${this.pick([int, str, dict])()})`,
          () => `${str()}.isalpha()`,
          () => (this.chance(0.1) ? `hasattr(${int()}, 'real')` : `callable(${int()})`),
        ];
    }
  }
}
