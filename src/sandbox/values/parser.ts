/**
 * Python literals as `ast.literal_eval` of CPython 3.11 reads them, and a short list of constructor calls, in pure
 * TypeScript: nothing is ever evaluated. Hostile text costs at most linear time and a fixed stack depth.
 *
 * Beyond literal_eval: `inf`, `nan` (as `repr` writes them), and the calls set, frozenset, list, tuple, dict, float and
 * complex over literals. Less than literal_eval: no `...`, no `\N{}`, texts up to MAX_TEXT, nesting up to MAX_DEPTH.
 */
import { isHashable, type Literal, type LiteralResult } from './literal.js';
import { LiteralSyntax, Scanner } from './scanner.js';

/** Longest text looked at, in UTF-16 units. */
export const MAX_TEXT = 1 << 20;
/** Deepest nesting; CPython's own tokenizer stops at 200 brackets. */
export const MAX_DEPTH = 200;

/** A parsed expression; `plain` where it is an unsigned number as written, the only thing a sign may precede. */
interface Parsed {
  readonly value: Literal;
  readonly plain: boolean;
}

/** Constructors whose value is known without running anything. */
const VALUE_CALLS = new Set(['set', 'frozenset', 'list', 'tuple', 'dict', 'float', 'complex']);
/** Accepted between the brackets of f(...) only: their objects are no literals. */
const ARGUMENT_CALLS = new Set(['range', 'bytearray', 'bytes']);
const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from ' +
    'global if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);

class Parser extends Scanner {
  /** True: between the brackets of f(...), where names of values (inf, nan) mean nothing. */
  private readonly asArguments: boolean;
  private depth = 0;

  constructor(text: string, asArguments: boolean) {
    super(text);
    this.asArguments = asArguments;
  }

  blanks(): void {
    this.skipBlanks(this.asArguments || this.depth > 0);
  }

  /** The whole text as one value; `1, 2` without brackets is a tuple. */
  top(): Literal {
    this.skipBlanks(true);
    const first = this.expression();
    this.blanks();
    let value = first;
    if (this.peek() === ',') {
      const items = [first];
      while (this.eat(',')) {
        this.blanks();
        if (this.position >= this.text.length) break;
        items.push(this.expression());
        this.blanks();
      }
      value = { type: 'tuple', items };
    }
    this.skipBlanks(true);
    if (this.position < this.text.length) this.fail('text after the value');
    return value;
  }

  /** The whole text as an argument list. */
  argumentList(): void {
    const keywords = new Set<string>();
    this.blanks();
    while (this.position < this.text.length) {
      const start = this.position;
      const name = this.name();
      this.blanks();
      if (name !== undefined && this.peek() === '=' && this.text[this.position + 1] !== '=') {
        if (KEYWORDS.has(name)) this.fail(`${name} is a keyword of Python`);
        if (keywords.has(name)) this.fail(`keyword argument ${name} twice`);
        keywords.add(name);
        this.position++;
        this.blanks();
      } else {
        this.position = start;
        if (keywords.size > 0) this.fail('positional argument after a keyword argument');
      }
      this.expression();
      this.blanks();
      if (this.position >= this.text.length) return;
      if (!this.eat(',')) this.fail('a comma is expected between arguments');
      this.blanks();
    }
  }

  private expression(): Literal {
    const left = this.signed();
    this.blanks();
    const operator = this.peek();
    if (operator !== '+' && operator !== '-') return left.value;
    if (left.value.type !== 'int' && left.value.type !== 'float')
      this.fail('only literals are accepted, no operators');
    this.position++;
    this.blanks();
    const right = this.atom();
    if (!right.plain || right.value.type !== 'complex') this.fail('only literals are accepted, no operators');
    const re = realPart(left.value);
    if (!Number.isFinite(re) && left.value.type === 'int')
      this.fail('integer too large for a complex number');
    return { type: 'complex', re, im: operator === '+' ? right.value.im : -right.value.im };
  }

  private signed(): Parsed {
    const sign = this.peek();
    if (sign !== '+' && sign !== '-') return this.atom();
    this.position++;
    this.blanks();
    const { value, plain } = this.atom();
    if (!plain) this.fail('a sign may only precede a number');
    return { value: sign === '-' ? negate(value) : value, plain: false };
  }

  private atom(): Parsed {
    const c = this.peek();
    if (c === '(') return this.parenthesised();
    if (c === '[') return { value: { type: 'list', items: this.items('[', ']').items }, plain: false };
    if (c === '{') return { value: this.braces(), plain: false };
    if (this.atString()) return { value: this.strings(), plain: false };
    const start = this.position;
    const name = this.name();
    if (name === undefined) return { value: this.number(), plain: true };
    switch (name) {
      case 'None':
        return { value: { type: 'none' }, plain: false };
      case 'True':
      case 'False':
        return { value: { type: 'bool', value: name === 'True' }, plain: false };
    }
    if (!this.asArguments) {
      if (name === 'inf') return { value: { type: 'float', value: Infinity }, plain: true };
      if (name === 'nan') return { value: { type: 'float', value: NaN }, plain: true };
      if (name === 'infj') return { value: { type: 'complex', re: 0, im: Infinity }, plain: true };
      if (name === 'nanj') return { value: { type: 'complex', re: 0, im: NaN }, plain: true };
    }
    if (VALUE_CALLS.has(name) || (this.asArguments && ARGUMENT_CALLS.has(name))) {
      this.blanks();
      if (this.peek() === '(') return { value: this.call(name), plain: false };
    }
    this.position = start;
    return this.fail(`${name.slice(0, 40)} is not a literal`);
  }

  private enter(open: string): void {
    if (!this.eat(open)) this.fail(`${open} is expected`);
    if (++this.depth > MAX_DEPTH) this.fail(`nesting deeper than ${MAX_DEPTH}`);
    this.blanks();
  }

  private leave(close: string): void {
    if (!this.eat(close)) this.fail(`${close} or a comma is expected`);
    this.depth--;
  }

  private items(open: string, close: string): { items: Literal[]; trailingComma: boolean } {
    this.enter(open);
    const items: Literal[] = [];
    let trailingComma = false;
    while (this.peek() !== close) {
      items.push(this.expression());
      trailingComma = false;
      this.blanks();
      if (!this.eat(',')) break;
      trailingComma = true;
      this.blanks();
    }
    this.leave(close);
    return { items, trailingComma };
  }

  private parenthesised(): Parsed {
    const before = this.position;
    const { items, trailingComma } = this.items('(', ')');
    const only = items[0];
    if (items.length !== 1 || trailingComma || only === undefined)
      return { value: { type: 'tuple', items }, plain: false };
    // Brackets vanish in Python's tree, so -(1) is a literal; a sign inside them is not doubled.
    const plain =
      /^[(\s]*[\d.]/.test(this.text.slice(before, before + 64)) && isNumber(only) && !hasOperator(only);
    return { value: only, plain };
  }

  private braces(): Literal {
    this.enter('{');
    if (this.peek() === '}') {
      this.leave('}');
      return { type: 'dict', entries: [] };
    }
    const first = this.expression();
    this.blanks();
    if (this.peek() !== ':') return this.setAfter(first);
    const entries: [Literal, Literal][] = [];
    let key = first;
    for (;;) {
      if (!isHashable(key)) this.fail('unhashable key');
      if (!this.eat(':')) this.fail(': is expected');
      this.blanks();
      entries.push([key, this.expression()]);
      this.blanks();
      if (!this.eat(',')) break;
      this.blanks();
      if (this.peek() === '}') break;
      key = this.expression();
      this.blanks();
    }
    this.leave('}');
    return { type: 'dict', entries };
  }

  private setAfter(first: Literal): Literal {
    const items = [first];
    while (this.eat(',')) {
      this.blanks();
      if (this.peek() === '}') break;
      items.push(this.expression());
      this.blanks();
    }
    if (!items.every(isHashable)) this.fail('unhashable element of a set');
    this.leave('}');
    return { type: 'set', items };
  }

  private strings(): Literal {
    const first = this.string();
    let escaped = first.escaped;
    for (;;) {
      const end = this.position;
      this.blanks();
      if (!this.atString()) {
        this.position = end;
        return { type: first.type, escaped };
      }
      const next = this.string();
      if (next.type !== first.type) this.fail('bytes and text cannot be joined');
      escaped += next.escaped;
    }
  }

  private call(name: string): Literal {
    const at = this.position;
    const { items } = this.items('(', ')');
    const value = construct(name, items);
    if (value === undefined)
      throw new LiteralSyntax(`${name}(...) with these arguments is not a literal`, at);
    return value;
  }
}

/** The value of a constructor call over literals; undefined where it has none that is known here. */
function construct(name: string, items: readonly Literal[]): Literal | undefined {
  const [first, second] = items;
  switch (name) {
    case 'set':
    case 'frozenset':
    case 'list':
    case 'tuple': {
      if (first === undefined) return { type: name, items: [] };
      if (items.length !== 1) return undefined;
      const elements =
        'items' in first
          ? first.items
          : first.type === 'dict'
            ? first.entries.map(([key]) => key)
            : undefined;
      if (elements === undefined) return undefined;
      // Order of a set, and which of several equal elements stays, is not known here.
      if ((name === 'list' || name === 'tuple') && first.type !== 'list' && first.type !== 'tuple')
        return undefined;
      if ((name === 'set' || name === 'frozenset') && !elements.every(isHashable)) return undefined;
      return { type: name, items: elements };
    }
    case 'dict':
      if (first === undefined) return { type: 'dict', entries: [] };
      return items.length === 1 && first.type === 'dict' ? first : undefined;
    case 'float':
      if (items.length !== 1 || first === undefined) return undefined;
      if (first.type === 'str') return floatOfText(first.escaped);
      if (first.type === 'float') return first;
      if (first.type === 'int') {
        const value = Number(first.value);
        return Number.isFinite(value) ? { type: 'float', value } : undefined;
      }
      return undefined;
    case 'complex': {
      if (first === undefined || items.length > 2 || (first.type !== 'int' && first.type !== 'float'))
        return undefined;
      if (second !== undefined && second.type !== 'int' && second.type !== 'float') return undefined;
      return { type: 'complex', re: realPart(first), im: second === undefined ? 0 : realPart(second) };
    }
    case 'range':
      // Stands for the object: it is only asked whether the text is acceptable.
      return items.length >= 1 && items.length <= 3 && items.every((item) => item.type === 'int')
        ? { type: 'tuple', items }
        : undefined;
    case 'bytes':
    case 'bytearray':
      return items.length <= 1 && (first === undefined || ['bytes', 'list', 'tuple'].includes(first.type))
        ? { type: 'bytes', escaped: '' }
        : undefined;
    default:
      return undefined;
  }
}

function floatOfText(text: string): Literal | undefined {
  const trimmed = text.trim().toLowerCase();
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(trimmed);
  if (special !== null) {
    if (special[2] === 'nan') return { type: 'float', value: NaN };
    return { type: 'float', value: special[1] === '-' ? -Infinity : Infinity };
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(trimmed)) return undefined;
  return { type: 'float', value: Number(trimmed) };
}

function isNumber(value: Literal): boolean {
  return value.type === 'int' || value.type === 'float' || value.type === 'complex';
}

/** A complex number with a real part was written with an operator. */
function hasOperator(value: Literal): boolean {
  return value.type === 'complex' && value.re !== 0;
}

function realPart(value: Literal): number {
  return value.type === 'int' ? Number(value.value) : value.type === 'float' ? value.value : NaN;
}

function negate(value: Literal): Literal {
  if (value.type === 'int') return { type: 'int', value: -value.value };
  if (value.type === 'float') return { type: 'float', value: -value.value };
  if (value.type === 'complex') return { type: 'complex', re: -value.re, im: -value.im };
  throw new TypeError(`negate was given a ${value.type}; accepted are int, float and complex`);
}

function guarded<T>(
  text: string,
  parse: () => T,
): { ok: true; value: T } | { ok: false; reason: string; offset: number } {
  if (text.length > MAX_TEXT)
    return { ok: false, reason: `text longer than ${MAX_TEXT} characters`, offset: MAX_TEXT };
  const nul = text.indexOf('\0');
  if (nul !== -1) return { ok: false, reason: 'NUL in the text', offset: nul };
  try {
    return { ok: true, value: parse() };
  } catch (error) {
    if (error instanceof LiteralSyntax) return { ok: false, reason: error.message, offset: error.offset };
    throw error;
  }
}

/** Reads a text as one Python literal. Blanks and newlines around it are ignored. */
export function parseLiteral(text: string): LiteralResult {
  return guarded(text, () => new Parser(text.trim(), false).top());
}

/**
 * True for what may stand between the brackets of `f(...)`: literals and the constructors set, frozenset, list, tuple,
 * dict, float, complex, range, bytes, bytearray over literals, positional or by keyword. No names, calls, operators,
 * stars or walruses, so the text cannot close the bracket or run anything. The constructors take no keywords:
 * `dict(a=1)` is refused, `{'a': 1}` accepted.
 */
export function isLiteralArguments(
  text: string,
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  const result = guarded(text, () => {
    new Parser(text, true).argumentList();
  });
  return result.ok ? { ok: true } : { ok: false, reason: `${result.reason} (at character ${result.offset})` };
}
