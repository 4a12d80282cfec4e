/** Against ids, texts and conversations that Hugging Face's own libraries made (scripts/fixtures/tokenizer.py). */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder, SMOLLM2 } from '../../../src/config/model-folder.js';
import type { ChatMessage } from '../../../src/policy/text/chat-template.js';
import { ModelTokenizer } from '../../../src/policy/tokenizer/index.js';

const GOLDEN = new URL('../../golden/tokenizer/', import.meta.url).pathname;

interface Expected {
  readonly texts: readonly { text: string; ids: number[]; decoded: string; visible: string }[];
  readonly chats: readonly { messages: ChatMessage[]; answers: boolean; text: string }[];
}

const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(file, 'utf8')) as T;

function streamed(tokenizer: ModelTokenizer, ids: readonly number[]): string[] {
  const stream = tokenizer.stream();
  return [...ids.map((id) => stream.push(id)), stream.end()];
}

describe.each(['digits', 'pattern'])('tokenizer %s', (kind) => {
  const folder = path.join(GOLDEN, kind);
  let tokenizer: ModelTokenizer;
  let expected: Expected;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(folder);
    expected = await read(path.join(folder, 'expected.json'));
  });

  it('encodes and decodes as tokenizers does', () => {
    expect(expected.texts.length).toBeGreaterThan(15);
    for (const { text, ids, decoded, visible } of expected.texts) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(visible);
      expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded);
    }
  });

  it('renders conversations as Transformers does', () => {
    for (const { messages, answers, text } of expected.chats)
      expect(tokenizer.applyChatTemplate(messages, answers)).toBe(text);
  });

  it('says what a chat template refuses', () => {
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'system', content: 'b' },
    ] as const;
    expect(() => tokenizer.applyChatTemplate(messages)).toThrow(
      /the chat template refuses messages of user, system: .*system comes first/,
    );
  });

  it('streams whole characters that add up to the text', () => {
    for (const { ids, visible } of expected.texts) {
      const pieces = streamed(tokenizer, ids);
      expect(pieces.join('')).toBe(visible);
      expect(pieces.some((piece) => piece.includes('\ufffd'))).toBe(false);
    }
  });

  it('streams any ids to what they decode to at once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.size - 1), { maxLength: 30 }), (ids) => {
        expect(streamed(tokenizer, ids).join('')).toBe(tokenizer.decode(ids));
      }),
    );
  });

  it('encodes nothing to nothing, and skips ids that are no tokens', () => {
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
    const ids = tokenizer.encode('the sum');
    expect(tokenizer.decode([tokenizer.size, ...ids, tokenizer.size + 7])).toBe('the sum');
    expect(tokenizer.idOf('<|stop|>')).toBe(2);
    expect(tokenizer.idOf('no such token')).toBeUndefined();
  });

  it('fits a model of its size or larger only', () => {
    tokenizer.checkFits(tokenizer.size);
    expect(() => tokenizer.checkFits(tokenizer.size - 1)).toThrow(
      new RegExp(
        `tokenizer\\.json does not match the model: token .* is ${tokenizer.size - 1}; accepted are 0 to ${tokenizer.size - 2}`,
      ),
    );
  });
});

describe('a folder that lacks something', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'azr-tokenizer-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const copyOf = async (name: string): Promise<string> => {
    const copy = path.join(folder, name);
    await cp(path.join(GOLDEN, 'digits'), copy, { recursive: true });
    return copy;
  };

  it('has no tokenizer', async () => {
    await expect(ModelTokenizer.load(folder)).rejects.toThrow(/tokenizer\.json is missing/);
  });

  it('has a tokenizer that is none', async () => {
    const at = await copyOf('none');
    await writeFile(path.join(at, 'tokenizer.json'), '{"model": {"type": "Strange"}}');
    await expect(ModelTokenizer.load(at)).rejects.toThrow(/tokenizer\.json is no tokenizer that can be read/);
    await writeFile(path.join(at, 'tokenizer.json'), '{');
    await expect(ModelTokenizer.load(at)).rejects.toThrow(/tokenizer\.json is not JSON/);
    await writeFile(path.join(at, 'tokenizer.json'), '[]');
    await expect(ModelTokenizer.load(at)).rejects.toThrow(/holds \[\]; accepted is an object/);
  });

  it('has no chat template, or one that is none', async () => {
    const at = await copyOf('templates');
    const config = path.join(at, 'tokenizer_config.json');
    await rm(path.join(at, 'chat_template.jinja'));
    const plain = await ModelTokenizer.load(at);
    expect(plain.chat).toBeUndefined();
    expect(() => plain.applyChatTemplate([])).toThrow(
      /has no chat template: neither chat_template\.jinja nor/,
    );
    await writeFile(config, '{"chat_template": 3}');
    await expect(ModelTokenizer.load(at)).rejects.toThrow(/chat_template is 3; accepted are/);
    await writeFile(config, '{"chat_template": "{% for %}"}');
    await expect(ModelTokenizer.load(at)).rejects.toThrow(
      /tokenizer_config\.json: chat_template is .*accepted is a Jinja template/,
    );
  });

  it('needs no tokenizer_config.json', async () => {
    const at = await copyOf('bare');
    await rm(path.join(at, 'tokenizer_config.json'));
    expect((await ModelTokenizer.load(at)).encode('x')).toHaveLength(1);
  });
});

const installed = await modelFolder({ model: SMOLLM2, path: null });

describe.skipIf(installed === undefined)('SmolLM2 (skipped where it is not installed)', () => {
  it('gives the ids that Transformers gives', async () => {
    const tokenizer = await ModelTokenizer.load(installed as string);
    const { texts, chat } = await read<{
      texts: { text: string; ids: number[] }[];
      chat: { messages: ChatMessage[]; ids: number[] };
    }>(path.join(GOLDEN, 'smollm2.json'));
    for (const { text, ids } of texts) expect(tokenizer.encode(text), text).toEqual(ids);
    expect(tokenizer.encode(tokenizer.applyChatTemplate(chat.messages))).toEqual(chat.ids);
  });
});
