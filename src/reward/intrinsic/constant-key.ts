/** Which constants of a program are one value: equal keys exactly where Python's == holds. */
import { canonicalKey } from '../../sandbox/values/canonical.js';
import { escapeCodePoint, type Literal } from '../../sandbox/values/literal.js';
import { parseLiteral } from '../../sandbox/values/parser.js';
import type { SyntaxField } from './syntax-tree.js';

/** @param value the field of a Constant node; absent for None. */
export function constantKey(value: SyntaxField | undefined): string {
  if (value === undefined) return keyOf({ type: 'none' });
  if (typeof value === 'string' || Array.isArray(value) || !('text' in value))
    throw new TypeError('the value of a Constant is no constant');
  const { type, text } = value;
  if (type === 'str') return textKey(text);
  if (type === 'huge') return keyOf({ type: 'int', value: BigInt(text) });
  const number = numberOf(type, text);
  if (number !== undefined) return keyOf(number);
  const parsed = parseLiteral(text);
  // Ellipsis is the one constant that is no literal value.
  return parsed.ok ? keyOf(parsed.value) : `${type} ${text}`;
}

/** Of a text, which may also be an identifier: Python holds both as `str`. */
export function textKey(text: string): string {
  let escaped = '';
  for (const character of text) escaped += escapeCodePoint(character.codePointAt(0) ?? 0);
  return keyOf({ type: 'str', escaped });
}

/** Infinities, which Python writes without a literal of their own (1e999 is `inf`). */
function numberOf(type: string, text: string): Literal | undefined {
  if (type === 'float' && text === 'inf') return { type: 'float', value: Infinity };
  if (type === 'complex' && text === 'infj') return { type: 'complex', re: 0, im: Infinity };
  return undefined;
}

function keyOf(literal: Literal): string {
  return canonicalKey(literal).key;
}
