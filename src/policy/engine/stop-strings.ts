/**
 * Stop strings over tokens' bytes: a string may begin within one token and end within another, and a token may hold part
 * of a character.
 */
import type { TokenTexts } from '../port.js';

/** @throws RangeError for a token that has no text. */
export function bytesOf({ bytes, ends }: TokenTexts, token: number): Uint8Array {
  const end = ends[token];
  if (end === undefined)
    throw new RangeError(`token ${token} has no text; tokenTexts has those of 0 to ${ends.length - 1}`);
  return bytes.subarray(ends[token - 1] ?? 0, end);
}

export class StopStrings {
  readonly #texts: TokenTexts;
  readonly #stops: readonly { readonly text: string; readonly bytes: Buffer }[];
  readonly #longest: number;
  /** As much of what came before as a stop string may begin in. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(texts: TokenTexts, stops: readonly string[]) {
    this.#texts = texts;
    this.#stops = stops.map((text) => ({ text, bytes: Buffer.from(text) }));
    this.#longest = Math.max(0, ...this.#stops.map(({ bytes }) => bytes.length));
  }

  /** The stop string that is complete with this token: of several, the one that begins first. */
  push(token: number): string | undefined {
    const text = Buffer.concat([this.#tail, bytesOf(this.#texts, token)]);
    this.#tail = text.subarray(Math.max(0, text.length - this.#longest + 1));
    const found = this.#stops
      .map((stop) => ({ ...stop, at: text.indexOf(stop.bytes) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at);
    return found[0]?.text;
  }
}
