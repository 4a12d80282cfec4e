/** GGUF files: against Transformers' own loader (scripts/fixtures/gguf-model.py), bit for bit; and files that are damaged. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertGguf } from '../../../src/policy/gguf/convert.js';
import { openGguf } from '../../../src/policy/gguf/reader.js';
import { openHuggingFaceModel, type HuggingFaceModel } from '../../../src/policy/hugging-face/folder.js';
import { ModelTokenizer } from '../../../src/policy/tokenizer/index.js';

const GOLDEN = path.resolve(import.meta.dirname, '../../golden/gguf');
const FILE = path.join(GOLDEN, 'tiny.gguf');

interface Expected {
  readonly weights: Readonly<Record<string, { shape: number[]; sha256: string }>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Readonly<Record<string, unknown>>;
}

let scratch: string;
let expected: Expected;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-gguf-'));
  expected = JSON.parse(await readFile(path.join(GOLDEN, 'expected.json'), 'utf8')) as Expected;
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const json = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(path.join(scratch, name), 'utf8')) as Record<string, unknown>;

describe('convertGguf', () => {
  let model: HuggingFaceModel;
  beforeAll(async () => {
    await convertGguf(FILE, scratch);
    model = await openHuggingFaceModel(scratch);
  });
  afterAll(() => model.source.close());

  it('gives the weights of each type of numbers', async () => {
    expect([...model.source.names()].sort()).toEqual(Object.keys(expected.weights).sort());
    for (const [name, { shape, sha256 }] of Object.entries(expected.weights)) {
      const { data, shape: found } = await model.source.read(name);
      expect(found, name).toEqual(shape);
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(sha256);
    }
  });

  it('gives the configuration', async () => {
    const config = await json('config.json');
    expect(config).toMatchObject(expected.config);
    // Transformers reads neighbours of these in float32.
    expect(config).toMatchObject({ rms_norm_eps: 1e-5, rope_theta: 50_000 });
    expect(model.spec).toMatchObject({ headWidth: 16, rotaryBase: 50_000, endToken: 0 });
    expect(await json('generation_config.json')).toEqual({
      bos_token_id: 1,
      eos_token_id: 0,
      pad_token_id: 0,
    });
  });

  it('gives the tokenizer, tokens that are numbers in their places', async () => {
    expect(await json('tokenizer.json')).toEqual(expected.tokenizer);
    const text = await readFile(path.join(scratch, 'tokenizer.json'), 'utf8');
    const order = [...text.slice(text.indexOf('"vocab"')).matchAll(/^ {6}"(?:[^"\\]|\\.)*": (\d+),?$/gm)].map(
      (found) => Number(found[1]),
    );
    expect(order).toEqual(Array.from({ length: 288 }, (_, id) => id));
    const tokenizer = await ModelTokenizer.load(scratch);
    tokenizer.checkFits(model.spec.vocabulary);
    expect(tokenizer.decode(tokenizer.encode('def f(x): 12 größer'))).toBe('def f(x): 12 größer');
    expect(await json('tokenizer_config.json')).toMatchObject({
      eos_token: '<|end|>',
      bos_token: '<|turn|>',
    });
    expect((await json('tokenizer_config.json'))['chat_template']).toContain('<|turn|>');
  });
});

describe('openGguf', () => {
  it.each([
    ['no magic', (bytes: Buffer) => bytes.fill(0x20, 0, 4), /begins with " {4}"; accepted is "GGUF"/],
    ['another version', (bytes: Buffer) => bytes.writeUInt32LE(9, 4), /version is 9; accepted are 2, 3/],
    [
      'a count beyond the file',
      (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 60n, 8),
      /a count of 1152921504606847000 at 8/,
    ],
    ['no end', (bytes: Buffer) => bytes.subarray(0, -1), /ends at byte \d+; the file has \d+/],
    [
      'half a header',
      (bytes: Buffer) => bytes.subarray(0, 2000),
      /bytes are needed at \d+; the file has 2000/,
    ],
    [
      'an unknown type of numbers',
      (bytes: Buffer) => {
        // Behind the name: dimensions (4), two sizes (8 each).
        bytes.writeUInt32LE(77, bytes.indexOf('token_embd.weight') + 'token_embd.weight'.length + 20);
      },
      /tensor token_embd.weight has type 77; accepted are F32, /,
    ],
  ])('names %s', async (_, damage, message) => {
    const bytes = Buffer.from(await readFile(FILE));
    const damaged = damage(bytes);
    const file = path.join(scratch, 'damaged.gguf');
    await writeFile(file, Buffer.isBuffer(damaged) ? damaged : bytes);
    await expect(openGguf(file)).rejects.toThrow(message);
  });

  it('names a file that is not there', async () => {
    await expect(openGguf(path.join(scratch, 'none'))).rejects.toThrow(/none cannot be read \(ENOENT\)/);
  });
});

describe('what is not built', () => {
  // Texts of one length; behind a key stand its type (4 bytes) and the length of its text (8).
  it.each([
    ['general.architecture', 12, 'llama', 'mamba', /general.architecture is "mamba"; accepted is llama/],
    ['tokenizer.ggml.model', 12, 'gpt2', 'bert', /tokenizer.ggml.model is "bert"; accepted is gpt2/],
    ['tokenizer.ggml.pre', 12, 'smollm', 'qwen35', /pre is "qwen35"; accepted are gpt-2, smollm/],
    ['blk.0.attn_', 0, 'output', 'sinks0', /holds tensor blk.0.attn_sinks0.weight; accepted are/],
  ])('is refused by name: %s', async (before, gap, from, to, message) => {
    const bytes = Buffer.from(await readFile(FILE));
    const found = bytes.indexOf(`${before}${gap === 0 ? from : ''}`) + before.length + gap;
    expect(bytes.toString('utf8', found, found + from.length)).toBe(from);
    bytes.write(to, found);
    const file = path.join(scratch, 'other.gguf');
    await writeFile(file, bytes);
    await expect(convertGguf(file, scratch)).rejects.toThrow(message);
  });
});
