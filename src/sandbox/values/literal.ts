/**
 * Python values that can be written as literals, as plain data.
 *
 * Strings are kept as their ASCII escape body (see `escapeCodePoint`), because a JavaScript string cannot tell the two
 * Python characters '\ud83d\ude00' from the one character U+1F600; bytes as one Latin-1 character a byte.
 */
export type Literal =
  | { readonly type: 'none' }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'complex'; readonly re: number; readonly im: number }
  | { readonly type: 'str'; readonly escaped: string }
  | { readonly type: 'bytes'; readonly escaped: string }
  | { readonly type: 'list' | 'tuple' | 'set' | 'frozenset'; readonly items: readonly Literal[] }
  | { readonly type: 'dict'; readonly entries: readonly (readonly [Literal, Literal])[] };

/** Why a text is not accepted; expected, therefore a value. `offset` is in UTF-16 units. */
export interface LiteralError {
  readonly ok: false;
  readonly reason: string;
  readonly offset: number;
}
export type LiteralResult = { readonly ok: true; readonly value: Literal } | LiteralError;

/** One code point (or lone surrogate) as printable ASCII that no other code point shares. */
export function escapeCodePoint(code: number): string {
  if (code === 0x5c) return '\\\\';
  if (code === 0x22) return '\\"';
  if (code >= 0x20 && code < 0x7f) return String.fromCharCode(code);
  return `\\${code.toString(16)};`;
}

/** Python's hashability of literal values: what may stand in a set or as a key. */
export function isHashable(value: Literal): boolean {
  if (value.type === 'tuple') return value.items.every(isHashable);
  return value.type !== 'list' && value.type !== 'set' && value.type !== 'dict';
}
