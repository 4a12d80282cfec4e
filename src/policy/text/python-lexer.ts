/**
 * A small reader of Python's lexical structure (Python reference, section 2): names, numbers, strings, comments,
 * brackets, line joining and indentation. It knows no grammar and refuses nothing; what is no Python gives odd tokens,
 * never an error. Python's own parser has the last word in the sandbox.
 *
 * One pass, linear in the text.
 */
import { isLineEnd, isSpace } from './characters.js';

export interface PythonToken {
  readonly kind: 'name' | 'number' | 'string' | 'operator';
  /** For strings with their prefix and quotes; an operator is one character. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Brackets open around it; an opening bracket counts the ones outside it, a closing one too. */
  readonly depth: number;
}

/** What Python's own grammar calls a logical line: joined over brackets, strings and backslashes; never empty. */
export interface LogicalLine {
  /** Columns before the first token; a tab goes to the next multiple of 8. */
  readonly indent: number;
  readonly tokens: readonly PythonToken[];
}

const LINE_FEED = 10;
const FORM_FEED = 12;
const CARRIAGE_RETURN = 13;
const TAB = 9;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const SINGLE_QUOTE = 39;
const DOT = 46;
const BACKSLASH = 92;
const STRING_PREFIXES: ReadonlySet<string> = new Set(['r', 'u', 'b', 'f', 'br', 'rb', 'fr', 'rf']);

export function readLogicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = [];
  let tokens: PythonToken[] = [];
  let indent = 0;
  let depth = 0;
  let at = 0;

  const add = (kind: PythonToken['kind'], start: number, end: number): void => {
    tokens.push({ kind, text: text.slice(start, end), start, end, depth });
    at = end;
  };
  const endLine = (): void => {
    if (tokens.length > 0) lines.push({ indent, tokens });
    tokens = [];
    indent = 0;
  };

  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === LINE_FEED || code === CARRIAGE_RETURN) {
      at++;
      if (depth === 0) endLine();
    } else if (code === SPACE || code === TAB || code === FORM_FEED) {
      if (tokens.length === 0)
        indent = code === TAB ? (Math.floor(indent / 8) + 1) * 8 : code === SPACE ? indent + 1 : 0;
      at++;
    } else if (code === HASH) {
      at = endOfLine(text, at);
    } else if (code === BACKSLASH && isLineEnd(text.charCodeAt(at + 1))) {
      at = afterLineEnd(text, at + 1);
    } else if (code === SINGLE_QUOTE || code === DOUBLE_QUOTE) {
      add('string', at, endOfString(text, at));
    } else if (isDigit(code) || (code === DOT && isDigit(text.charCodeAt(at + 1)))) {
      add('number', at, endOfNumber(text, at));
    } else if (isNameCharacter(code)) {
      const end = endOfName(text, at);
      const quote = text.charCodeAt(end);
      const isPrefix =
        (quote === SINGLE_QUOTE || quote === DOUBLE_QUOTE) &&
        end - at <= 2 &&
        STRING_PREFIXES.has(text.slice(at, end).toLowerCase());
      if (isPrefix) add('string', at, endOfString(text, end));
      else add('name', at, end);
    } else if (isOpening(code)) {
      add('operator', at, at + 1);
      depth++;
    } else if (isClosing(code)) {
      depth = Math.max(0, depth - 1);
      add('operator', at, at + 1);
    } else if (isSpace(code)) {
      at++;
    } else {
      add('operator', at, at + 1);
    }
  }
  endLine();
  return lines;
}

/**
 * Names inside the replacement fields of an f-string (Python 3.11: no backslash and no quote of its own kind in a
 * field), with offsets into the program. Strings inside fields are passed over; other strings have no such names.
 */
export function namesInFormattedString(token: PythonToken): { text: string; start: number; end: number }[] {
  const quote = firstQuote(token.text);
  const prefix = token.text.slice(0, quote).toLowerCase();
  if (token.kind !== 'string' || !prefix.includes('f')) return [];
  const text = token.text;
  const names: { text: string; start: number; end: number }[] = [];
  // A field's expression, or the format specification after its colon; brackets within the expression are counted.
  const open: { expression: boolean; brackets: number }[] = [];
  for (let at = quote + quoteLength(text, quote); at < text.length;) {
    const code = text.charCodeAt(at);
    const field = open.at(-1);
    if (field?.expression !== true) {
      if (text.startsWith('{{', at) && field === undefined) at += 2;
      else {
        if (code === 123) open.push({ expression: true, brackets: 0 });
        else if (code === 125) open.pop();
        at++;
      }
    } else if (code === SINGLE_QUOTE || code === DOUBLE_QUOTE) {
      at = endOfString(text, at);
    } else if (isDigit(code)) {
      at = endOfNumber(text, at);
    } else if (isNameCharacter(code)) {
      const end = endOfName(text, at);
      // An attribute, the letter of a conversion (!r) and a string's prefix are no names.
      const before = text.charCodeAt(at - 1);
      const after = text.charCodeAt(end);
      if (before !== DOT && before !== 33 && after !== SINGLE_QUOTE && after !== DOUBLE_QUOTE)
        names.push({ text: text.slice(at, end), start: token.start + at, end: token.start + end });
      at = end;
    } else {
      if (code === 125 && field.brackets === 0) open.pop();
      else if (code === 58 && field.brackets === 0) field.expression = false;
      else if (isOpening(code)) field.brackets++;
      else if (isClosing(code)) field.brackets--;
      at++;
    }
  }
  return names;
}

/** Offset after the string that opens with the quote at `at`; an unclosed one ends with its line, or with the text. */
function endOfString(text: string, at: number): number {
  const quote = text.charCodeAt(at);
  const length = quoteLength(text, at);
  let end = at + length;
  if (length === 2) return end;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === BACKSLASH) {
      end = isLineEnd(text.charCodeAt(end + 1)) ? afterLineEnd(text, end + 1) : end + 2;
    } else if (code === quote) {
      if (length === 1) return end + 1;
      if (text.charCodeAt(end + 1) === quote && text.charCodeAt(end + 2) === quote) return end + 3;
      end++;
    } else if (length === 1 && isLineEnd(code)) {
      return end;
    } else {
      end++;
    }
  }
  return text.length;
}

/** 3 for a triple quote, 2 for an empty string, else 1. */
function quoteLength(text: string, at: number): 1 | 2 | 3 {
  const quote = text.charCodeAt(at);
  if (text.charCodeAt(at + 1) !== quote) return 1;
  return text.charCodeAt(at + 2) === quote ? 3 : 2;
}

function firstQuote(text: string): number {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) !== SINGLE_QUOTE && text.charCodeAt(at) !== DOUBLE_QUOTE)
    at++;
  return at;
}

function endOfName(text: string, from: number): number {
  let at = from;
  while (at < text.length && isNameCharacter(text.charCodeAt(at))) at++;
  return at;
}

function endOfNumber(text: string, from: number): number {
  let at = from;
  while (at < text.length && (isNameCharacter(text.charCodeAt(at)) || text.charCodeAt(at) === DOT)) at++;
  return at;
}

function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isLineEnd(text.charCodeAt(at))) at++;
  return at;
}

function afterLineEnd(text: string, at: number): number {
  const both = text.charCodeAt(at) === CARRIAGE_RETURN && text.charCodeAt(at + 1) === LINE_FEED;
  return at + (both ? 2 : 1);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** ASCII letters, digits, underscore, and everything beyond ASCII that is no space. */
function isNameCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    isDigit(code) ||
    code === 95 ||
    (code >= 0x80 && !isSpace(code))
  );
}

function isOpening(code: number): boolean {
  return code === 40 || code === 91 || code === 123;
}

function isClosing(code: number): boolean {
  return code === 41 || code === 93 || code === 125;
}
