/** Python values outside Python: parsed from literal text and compared as `==` compares, without evaluating anything. */
import { canonicalKey } from './values/canonical.js';
import { parseLiteral } from './values/parser.js';

export type { Literal, LiteralResult } from './values/literal.js';
export { isLiteralArguments, parseLiteral, MAX_DEPTH, MAX_TEXT } from './values/parser.js';
export { canonicalKey } from './values/canonical.js';

/** What a text says: a comparable key, a NaN, or no literal at all. */
export type TextKey =
  | { readonly ok: true; readonly key: string }
  | { readonly ok: false; readonly reason: 'not-literal' | 'nan'; readonly detail: string };

/** Texts looked at again and again (inputs and outputs of a task, by every answer) are kept while short. */
const REMEMBERED = { texts: 4096, characters: 512 };
const remembered = new Map<string, TextKey>();

/** The canonical key of a literal text; texts of equal values have equal keys. */
export function literalKey(text: string): TextKey {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const key = readKey(text);
  if (text.length <= REMEMBERED.characters) {
    if (remembered.size >= REMEMBERED.texts) remembered.clear();
    remembered.set(text, key);
  }
  return key;
}

function readKey(text: string): TextKey {
  const parsed = parseLiteral(text);
  if (!parsed.ok)
    return { ok: false, reason: 'not-literal', detail: `${parsed.reason} (at character ${parsed.offset})` };
  const { key, nan } = canonicalKey(parsed.value);
  return nan ? { ok: false, reason: 'nan', detail: 'NaN equals nothing' } : { ok: true, key };
}

/** Python's `==` between two literal texts; false where one is no literal or holds a NaN. */
export function equalLiterals(a: string, b: string): boolean {
  const left = literalKey(a);
  if (!left.ok) return false;
  const right = literalKey(b);
  return right.ok && left.key === right.key;
}
