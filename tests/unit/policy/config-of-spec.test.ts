/** config.json of a specification says what the specification says, when it is read again. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attentionShape, parameterShapes } from '../../../src/policy/engine/parameters.js';
import { rotaryFrequencies } from '../../../src/policy/engine/rotary.js';
import { configOfSpec } from '../../../src/policy/hugging-face/config-of-spec.js';
import { readHuggingFaceConfig } from '../../../src/policy/hugging-face/config.js';
import type { ModelSpec } from '../../../src/policy/port.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';

const plain: ModelSpec = {
  vocabulary: 64,
  layers: 2,
  width: 16,
  heads: 4,
  hidden: 24,
  context: 128,
  padToken: 0,
  endToken: 2,
};
const SPECS: Readonly<Record<string, ModelSpec>> = {
  tiny: tinySpec({ layers: 2, width: 16, heads: 2, hidden: 24, context: 80, rotaryBase: 100 }),
  'grouped, untied, several ends': { ...plain, keyValueHeads: 2, untied: true, moreEndTokens: [5, 6] },
  'biases (Qwen2)': { ...plain, keyValueHeads: 2, attentionBias: true, rotaryBase: 1e6, normEpsilon: 1e-5 },
  'norms of heads (Qwen3)': { ...plain, queryKeyNorm: true, headWidth: 6, keyValueHeads: 1 },
  'scaled rotation (Llama 3)': {
    ...plain,
    rotaryBase: 500_000,
    rotaryScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 32 },
  },
};

describe('config.json of a specification', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'azr-config-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it.each(Object.entries(SPECS))('%s', async (_name, spec) => {
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(configOfSpec(spec)));
    const { spec: read, dtype } = await readHuggingFaceConfig(folder, spec.untied === true);
    expect(dtype).toBe('float32');
    expect(parameterShapes(read).map(({ name, shape }) => [name, shape])).toEqual(
      parameterShapes(spec).map(({ name, shape }) => [name, shape]),
    );
    expect(attentionShape(read)).toEqual(attentionShape(spec));
    expect(rotaryFrequencies(read)).toEqual(rotaryFrequencies(spec));
    for (const key of ['heads', 'context', 'padToken', 'endToken', 'moreEndTokens'] as const)
      expect(read[key], key).toEqual(spec[key]);
    expect(read.normEpsilon ?? 1e-6).toBe(spec.normEpsilon ?? 1e-6);
  });

  it('names what no architecture has', () => {
    expect(() => configOfSpec({ ...plain, attentionBias: true, headWidth: 6 })).toThrow(
      /headWidth is 6 with biases .* accepted is width \/ heads, 4/,
    );
  });
});
