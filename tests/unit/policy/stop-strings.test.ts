import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, StopStrings } from '../../../src/policy/engine/stop-strings.js';
import type { TokenTexts } from '../../../src/policy/port.js';

function textsOf(tokens: readonly Uint8Array[]): TokenTexts {
  let end = 0;
  return { bytes: Buffer.concat(tokens), ends: Int32Array.from(tokens, ({ length }) => (end += length)) };
}

/** Few letters, so that matches are common; one of them of three bytes, cut anywhere. */
const letters = fc.string({ unit: fc.constantFrom('a', 'b', '→'), minLength: 1, maxLength: 5 });

describe('stop strings', () => {
  it('are found where their last byte comes, however the text is cut into tokens', () => {
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 8 }),
        fc.array(letters, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 40, maxLength: 40 }),
        (parts, stops, sizes) => {
          const text = Buffer.from(parts.join(''));
          const tokens: Buffer[] = [];
          for (let at = 0; at < text.length;) {
            const size = sizes[tokens.length % sizes.length] ?? 1;
            tokens.push(text.subarray(at, at + size));
            at += size;
          }
          const matcher = new StopStrings(textsOf(tokens), stops);
          const found = tokens.findIndex((_, i) => matcher.push(i) !== undefined);
          const completed = stops
            .map((stop) => ({ at: text.indexOf(stop), bytes: Buffer.byteLength(stop) }))
            .filter(({ at }) => at >= 0)
            .map(({ at, bytes }) => at + bytes);
          let end = 0;
          const expected = tokens.findIndex((token) => {
            end += token.length;
            return completed.some((at) => at <= end);
          });
          expect(found).toBe(expected);
        },
      ),
    );
  });

  it('names the one that begins first', () => {
    const texts = textsOf([Buffer.from('x</answ'), Buffer.from('er>\n\n')]);
    const matcher = new StopStrings(texts, ['\n', '</answer>']);
    expect([matcher.push(0), matcher.push(1)]).toEqual([undefined, '</answer>']);
  });

  it('names a token without a text', () => {
    expect(() => bytesOf(textsOf([Buffer.from('a')]), 7)).toThrow(/token 7 has no text; .* 0 to 0/);
  });
});
