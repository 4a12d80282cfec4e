/** Stop strings of a text policy, from the run's configuration to the sampler: looked for in its tokenizer's bytes. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCodecs } from '../../src/activities/codecs.js';
import { drawSettings } from '../../src/activities/draw-settings.js';
import { sampleInChunks } from '../../src/activities/sample-in-chunks.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { ModelTokenizer } from '../../src/policy/tokenizer/index.js';
import type { CheckpointRef, Sample } from '../../src/policy/port.js';
import { writeSmallLlama } from '../support/hugging-face-folder.js';

let folder: string;
let engine: TensorflowEngine;
let checkpoint: CheckpointRef;
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-stops-'));
  await writeSmallLlama(path.join(folder, 'model'));
  engine = new TensorflowEngine(1);
  checkpoint = await engine.importModel(path.join(folder, 'model'), path.join(folder, 'v0'));
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function sampled(...overrides: string[]): Promise<Sample[]> {
  const lengths = [
    'policy.maxPromptTokens=1800',
    'policy.maxContentTokens=1800',
    'policy.maxResponseTokens=64',
  ];
  const { config } = await resolveRunConfig('smollm2', [
    `policy.path=${path.join(folder, 'model')}`,
    ...lengths,
    ...overrides,
  ]);
  const codec = await createCodecs().of(config);
  const samples: Sample[] = [];
  const planned = Array.from({ length: 6 }, (_, i) => ({
    item: i,
    requests: [
      {
        ...{ id: `${i}`, prompt: [5, 6, 7 + i], seed: i, maxTokens: 60, ignoreEnd: true },
        ...drawSettings(config, config.solve.temperature),
      },
    ],
  }));
  await sampleInChunks(
    engine,
    checkpoint,
    planned,
    (_item, [sample]) => {
      if (sample !== undefined) samples.push(sample);
      return undefined as never;
    },
    () => Promise.resolve(),
    { signal: new AbortController().signal, report: () => undefined, tokenTexts: codec.tokenTexts },
  );
  return samples;
}

describe('a stop string', () => {
  it('ends the completion with the token that completes it, and changes nothing before', async () => {
    const free = await sampled();
    const tokenizer = await ModelTokenizer.load(path.join(folder, 'model'));
    const texts = free.map(({ tokens }) => tokenizer.decode(tokens));
    // Letters that a completion has, and not at once.
    const stop = texts
      .flatMap((text) => [...text.matchAll(/[a-z]{2}/g)].map(([letters]) => letters))
      .find((letters) => texts.some((text) => text.indexOf(letters) > 8));
    if (stop === undefined) throw new Error('no completion has two letters');
    const stopped = await sampled(`policy.sampling.stop=[${JSON.stringify(stop)}]`);
    let ended = 0;
    for (const [i, { tokens, finish, stop: met }] of stopped.entries()) {
      const all = free[i]?.tokens ?? [];
      expect(tokens).toEqual(all.slice(0, tokens.length));
      const isThere = (length: number): boolean => tokenizer.decode(all.slice(0, length)).includes(stop);
      if (!isThere(all.length)) {
        expect(finish).toBe('length');
        continue;
      }
      expect({ finish, met }).toEqual({ finish: 'stop', met: stop });
      expect(isThere(tokens.length)).toBe(true);
      expect(isThere(tokens.length - 1)).toBe(false);
      ended += 1;
    }
    expect(ended).toBeGreaterThan(0);
  });

  it('is not paid for where there is none', async () => {
    const { config } = await resolveRunConfig('smollm2', [
      `policy.path=${path.join(folder, 'model')}`,
      'policy.maxPromptTokens=1800',
    ]);
    expect((await createCodecs().of(config)).tokenTexts).toBeUndefined();
  });
});
