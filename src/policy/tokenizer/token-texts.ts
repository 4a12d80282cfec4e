/**
 * The bytes that each token stands for, by the decoder that tokenizer.json names; a token may be half of a character.
 *
 *   ByteLevel     each character of a token is a byte (Radford et al. 2019): printable ones of Latin-1 are themselves, the
 *                 others are moved behind U+0100, in order
 *   ByteFallback  <0x0A> is that byte; other tokens are text, in which a space may be spelled otherwise (Replace)
 *   none, Fuse    tokens are text
 *
 * Added tokens are text in all of them.
 */
import type { TokenTexts } from '../port.js';

export interface TokenTextSource {
  /** `decoder` of tokenizer.json. */
  readonly decoder: unknown;
  readonly added: ReadonlySet<number>;
  /** A token as tokenizer.json spells it; undefined where the tokenizer has none of that id. */
  readonly spelling: (token: number) => string | undefined;
}

/**
 * @param vocabulary of the model; tokens that the tokenizer does not have are empty.
 * @throws RangeError for a decoder of another kind.
 */
export function tokenTexts({ decoder, added, spelling }: TokenTextSource, vocabulary: number): TokenTexts {
  const decode = byteDecoder(decoder);
  const parts: Uint8Array[] = [];
  const ends = new Int32Array(vocabulary);
  let end = 0;
  for (let token = 0; token < vocabulary; token++) {
    const text = spelling(token) ?? '';
    const bytes = added.has(token) ? Buffer.from(text) : decode(text);
    parts.push(bytes);
    end += bytes.length;
    ends[token] = end;
  }
  return { bytes: Buffer.concat(parts), ends };
}

/** Decoders that change nothing of single tokens but where text begins or ends. */
const WITHOUT_EFFECT = ['Fuse', 'Strip'];

function byteDecoder(decoder: unknown): (text: string) => Uint8Array {
  const steps = stepsOf(decoder);
  const unknown = steps.find(
    ({ type }) => !['ByteLevel', 'ByteFallback', 'Replace', ...WITHOUT_EFFECT].includes(type),
  );
  if (unknown !== undefined)
    throw new RangeError(
      `tokenizer.json has a decoder of type ${JSON.stringify(unknown.type)}; stop strings need one of ByteLevel, or of ByteFallback, Replace, ${WITHOUT_EFFECT.join(', ')}`,
    );
  if (steps.some(({ type }) => type === 'ByteLevel')) return bytesOfLevel;
  const falls = steps.some(({ type }) => type === 'ByteFallback');
  const replaced = steps.flatMap(({ type, pattern, content }) => {
    const from = (pattern as { String?: unknown } | undefined)?.String;
    return type === 'Replace' && typeof from === 'string' && typeof content === 'string'
      ? [[from, content] as const]
      : [];
  });
  return (text) => {
    const byte = falls ? /^<0x([0-9A-F]{2})>$/i.exec(text)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return Buffer.from(replaced.reduce((all, [from, to]) => all.replaceAll(from, to), text));
  };
}

interface Step {
  readonly type: string;
  readonly pattern?: unknown;
  readonly content?: unknown;
}

function stepsOf(decoder: unknown): Step[] {
  if (decoder === null || decoder === undefined) return [];
  const { type, decoders, ...rest } = decoder as { type?: unknown; decoders?: unknown };
  if (type === 'Sequence' && Array.isArray(decoders)) return decoders.flatMap(stepsOf);
  return [{ ...rest, type: String(type) }];
}

/** By character: 33 to 126, 161 to 172 and 174 to 255 are themselves. */
const BYTE_OF = new Map<number, number>();
for (let byte = 0, moved = 256; byte < 256; byte++) {
  const isItself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  BYTE_OF.set(isItself ? byte : moved++, byte);
}

/** A character that stands for no byte is text, as tokenizers takes it. */
function bytesOfLevel(text: string): Uint8Array {
  const bytes = [...text].map((character) => BYTE_OF.get(character.codePointAt(0) ?? -1));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : Buffer.from(text);
}
