/** Bytes of tokens: together they are the text that the tokenizer decodes, for each kind of decoder. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelFolder, SMOLLM2 } from '../../../src/config/model-folder.js';
import { bytesOf } from '../../../src/policy/engine/stop-strings.js';
import { ModelTokenizer } from '../../../src/policy/tokenizer/index.js';
import { tokenTexts } from '../../../src/policy/tokenizer/token-texts.js';

const GOLDEN = new URL('../../golden/tokenizer/', import.meta.url).pathname;

describe.each(['digits', 'pattern'])('tokens of the tokenizer %s', (kind) => {
  it('have the bytes of the text that they are decoded to, special ones their own', async () => {
    const folder = path.join(GOLDEN, kind);
    const tokenizer = await ModelTokenizer.load(folder);
    const texts = tokenizer.tokenTexts(tokenizer.size + 3);
    const expected = JSON.parse(await readFile(path.join(folder, 'expected.json'), 'utf8')) as {
      texts: { ids: number[]; visible: string }[];
    };
    expect(expected.texts.length).toBeGreaterThan(15);
    for (const { ids, visible } of expected.texts)
      expect(Buffer.concat(ids.map((id) => bytesOf(texts, id))).toString()).toBe(visible);
    // The model has more logits than the tokenizer has tokens.
    expect(bytesOf(texts, tokenizer.size + 2)).toHaveLength(0);
    expect(() => bytesOf(texts, tokenizer.size + 3)).toThrow(/has no text/);
  });
});

it('tokens of SmolLM2 have the bytes of what they are decoded to', async (context) => {
  const folder = await modelFolder({ model: SMOLLM2, path: null });
  if (folder === undefined) {
    context.skip('SmolLM2 is not installed: npx azr model fetch smollm2');
    return;
  }
  const tokenizer = await ModelTokenizer.load(folder);
  const texts = tokenizer.tokenTexts(tokenizer.size);
  const text = 'def f(x):\n    return "é€😀\u0301" + x  # 12,345 <|im_end|>\t\u00ad';
  const ids = tokenizer.encode(text);
  expect(Buffer.concat(ids.map((id) => bytesOf(texts, id))).toString()).toBe(text);
});

describe('tokens by their decoder', () => {
  const of = (decoder: unknown, ...spellings: string[]): string[] => {
    const spelling = (token: number): string | undefined => spellings[token];
    const texts = tokenTexts({ decoder, added: new Set([0]), spelling }, spellings.length);
    return spellings.map((_, token) => Buffer.from(bytesOf(texts, token)).toString('hex'));
  };
  const hex = (text: string): string => Buffer.from(text).toString('hex');

  it('are bytes where it falls back to them, with spaces for what stands for one', () => {
    const decoder = {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    };
    expect(of(decoder, '▁<s>', '▁a▁b', '<0xE2>', '<0x0a>', '<0x0A>b')).toEqual([
      ...[hex('▁<s>'), hex(' a b'), 'e2', '0a', hex('<0x0A>b')],
    ]);
  });

  it('are moved characters at the level of bytes, but for added tokens', () => {
    expect(of({ type: 'ByteLevel' }, 'Ġ', 'Ġa', 'Ċ', 'Ã©', 'Ń', '¡', '⊙')).toEqual([
      ...[hex('Ġ'), '2061', '0a', 'c3a9', 'ad', 'a1', hex('⊙')],
    ]);
  });

  it('are text without one, and of no use with one of another kind', () => {
    expect(of(null, 'x', 'Ġé')).toEqual([hex('x'), hex('Ġé')]);
    expect(() => of({ type: 'WordPiece' }, 'x')).toThrow(
      /decoder of type "WordPiece"; stop strings need one of/,
    );
  });
});
