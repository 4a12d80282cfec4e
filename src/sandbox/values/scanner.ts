/**
 * Lexical part of the literal parser: blanks and comments, numbers, strings, by Python 3.11's lexical rules
 * (Language Reference 2.4). Differences: `\N{...}` and f-strings are refused; identifiers are ASCII.
 */
import { escapeCodePoint, type Literal } from './literal.js';

/** Raised inside the parser only; its entry points turn it into a value. */
export class LiteralSyntax extends Error {
  readonly offset: number;
  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

/** CPython refuses longer decimal integers (sys.int_info.default_max_str_digits). */
export const MAX_INT_DIGITS = 4300;

const NUMBER =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*\.(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*|\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?[jJ]?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const STRING_START = /([rRbBuU]|[rR][bB]|[bB][rR])?("""|'''|"|')/y;

export class Scanner {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(reason: string): never {
    throw new LiteralSyntax(reason, this.position);
  }

  /** Skips blanks, comments and joined lines; inside brackets newlines too. */
  skipBlanks(insideBrackets: boolean): void {
    for (;;) {
      const c = this.text[this.position];
      if (c === ' ' || c === '\t' || c === '\f') this.position++;
      else if (insideBrackets && (c === '\n' || c === '\r')) this.position++;
      else if (c === '#') {
        while (this.position < this.text.length && !'\r\n'.includes(this.text[this.position] ?? '\n'))
          this.position++;
      } else if (c === '\\' && /^\\\r?\n/.test(this.text.slice(this.position, this.position + 3)))
        this.position += this.text[this.position + 1] === '\r' ? 3 : 2;
      else return;
    }
  }

  peek(): string {
    return this.text[this.position] ?? '';
  }

  eat(character: string): boolean {
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.position;
    return pattern.exec(this.text) ?? undefined;
  }

  /** An ASCII identifier at the position, consumed; undefined where there is none. */
  name(): string | undefined {
    const found = this.match(NAME);
    if (found === undefined) return undefined;
    this.position += found[0].length;
    return found[0];
  }

  /** True where a string literal starts (prefixes included). */
  atString(): boolean {
    return this.match(STRING_START) !== undefined;
  }

  number(): Literal {
    const found = this.match(NUMBER);
    if (found === undefined) this.fail('a value is expected');
    const raw = found[0];
    const after = this.text[this.position + raw.length] ?? '';
    if (/[A-Za-z0-9_.]/.test(after)) this.fail('invalid number');
    const digits = raw.replaceAll('_', '');
    if (/^0[xXoObB]/.test(digits)) {
      this.position += raw.length;
      return { type: 'int', value: BigInt(digits.toLowerCase()) };
    }
    if (/[jJ]$/.test(digits)) {
      this.position += raw.length;
      return { type: 'complex', re: 0, im: Number(digits.slice(0, -1)) };
    }
    if (/[.eE]/.test(digits)) {
      this.position += raw.length;
      return { type: 'float', value: Number(digits) };
    }
    if (digits.length > MAX_INT_DIGITS) this.fail(`integer of more than ${MAX_INT_DIGITS} digits`);
    if (/^0+[1-9]/.test(digits)) this.fail('leading zeros in a decimal integer');
    this.position += raw.length;
    return { type: 'int', value: BigInt(digits) };
  }

  /** One string literal; the caller joins adjacent ones. */
  string(): Literal & { readonly type: 'str' | 'bytes' } {
    const found = this.match(STRING_START);
    if (found === undefined) this.fail('a string is expected');
    const prefix = (found[1] ?? '').toLowerCase();
    const quote = found[2] ?? '"';
    this.position += found[0].length;
    const bytes = prefix.includes('b');
    const escaped = this.stringBody(quote, prefix.includes('r'), bytes);
    return { type: bytes ? 'bytes' : 'str', escaped };
  }

  private stringBody(quote: string, raw: boolean, bytes: boolean): string {
    const text = this.text;
    const long = quote.length === 3;
    const parts: string[] = [];
    for (;;) {
      const code = text.codePointAt(this.position);
      if (code === undefined) this.fail('string is not closed');
      if (text.startsWith(quote, this.position)) {
        this.position += quote.length;
        return parts.join('');
      }
      if (code === 0) this.fail('NUL in the text');
      if (code === 0x0a || code === 0x0d) {
        if (!long) this.fail('string is not closed before the end of the line');
        this.position += this.newline();
        parts.push(escapeCodePoint(0x0a));
      } else if (code === 0x5c && raw) {
        parts.push(escapeCodePoint(0x5c));
        this.position++;
        // In a raw string a backslash keeps its place and still shields a quote.
        const next = text[this.position];
        if (next === undefined) this.fail('string is not closed');
        if (next === '\n' || next === '\r') {
          this.position += this.newline();
          parts.push(escapeCodePoint(0x0a));
        } else if (next === '\\' || next === "'" || next === '"') {
          parts.push(escapeCodePoint(next.charCodeAt(0)));
          this.position++;
        }
      } else if (code === 0x5c) parts.push(this.escape(bytes));
      else {
        if (bytes && code > 0x7f) this.fail('bytes can only contain ASCII characters');
        parts.push(escapeCodePoint(code));
        this.position += code > 0xffff ? 2 : 1;
      }
    }
  }

  private newline(): number {
    return this.text.startsWith('\r\n', this.position) ? 2 : 1;
  }

  private escape(bytes: boolean): string {
    const start = this.position;
    const letter = this.text[start + 1];
    if (letter === undefined) this.fail('string is not closed');
    if (letter === '\n' || letter === '\r') {
      this.position++;
      this.position += this.newline();
      return '';
    }
    const simple = SIMPLE_ESCAPES[letter];
    if (simple !== undefined) {
      this.position += 2;
      return escapeCodePoint(simple);
    }
    if (letter >= '0' && letter <= '7') {
      const digits = /^[0-7]{1,3}/.exec(this.text.slice(start + 1, start + 4))?.[0] ?? '0';
      this.position += 1 + digits.length;
      const value = Number.parseInt(digits, 8);
      return escapeCodePoint(bytes ? value & 0xff : value);
    }
    if (letter === 'x') return this.hexEscape(2);
    if (!bytes && letter === 'u') return this.hexEscape(4);
    if (!bytes && letter === 'U') return this.hexEscape(8);
    if (!bytes && letter === 'N')
      this.fail('\\N{...} is not accepted in a literal here; write the character');
    // Python keeps the backslash of an unknown escape; the letter itself is read next.
    this.position++;
    return escapeCodePoint(0x5c);
  }

  private hexEscape(length: number): string {
    const digits = this.text.slice(this.position + 2, this.position + 2 + length);
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) this.fail('truncated hexadecimal escape');
    const value = Number.parseInt(digits, 16);
    if (value > 0x10ffff) this.fail('character beyond U+10FFFF');
    this.position += 2 + length;
    return escapeCodePoint(value);
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  '\\': 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};
