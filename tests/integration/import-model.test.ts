/** A Hugging Face folder as a run's version 0: the same weights, found again, sampled from and learned on. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../src/config/presets.js';
import { loadCheckpoint } from '../../src/learner/checkpoint.js';
import { learnConfig } from '../../src/learner/learn-inputs.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { openHuggingFaceModel } from '../../src/policy/hugging-face/folder.js';
import { joinSources, weightMappings } from '../../src/policy/hugging-face/names.js';
import type { CheckpointRef } from '../../src/policy/port.js';
import { writeSmallLlama } from '../support/hugging-face-folder.js';

let root: string;
let engine: TensorflowEngine;
let imported: CheckpointRef;
const at = (name: string): string => path.join(root, name);
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  root = await mkdtemp(path.join(os.tmpdir(), 'azr-import-'));
  await writeSmallLlama(at('model'));
  engine = new TensorflowEngine(1);
  imported = await engine.importModel(at('model'), at('v0'));
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

describe('importModel', () => {
  it("saves the folder's weights as version 0, with moments of 0", async () => {
    const { spec, version, steps, weights, first, second } = await loadCheckpoint(imported);
    expect({ version, steps, vocabulary: spec.vocabulary }).toEqual({
      version: 0,
      steps: 0,
      vocabulary: 384,
    });
    const { source } = await openHuggingFaceModel(at('model'));
    for (const mapping of weightMappings(spec)) {
      const theirs = await joinSources(mapping, async (name) => (await source.read(name)).data);
      expect(weights.get(mapping.parameter.name)?.data, mapping.parameter.name).toEqual(theirs);
    }
    await source.close();
    for (const moments of [first, second])
      for (const { data } of moments.values()) expect(data.every((value) => value === 0)).toBe(true);
  });

  it('finds what it has saved, and saves anew what is another model', async () => {
    expect(await engine.importModel(at('model'), at('v0'))).toEqual(imported);
    await writeSmallLlama(at('other'), {}, 2);
    expect((await engine.importModel(at('other'), at('v0b'))).digest).not.toBe(imported.digest);
  });

  it('leaves no tensors behind, and nothing where a folder is none', async () => {
    const before = engine.tensors;
    await engine.importModel(at('model'), at('again'));
    await expect(engine.importModel(at('nowhere'), at('never'))).rejects.toThrow(
      /nowhere\/model\.safetensors is missing/,
    );
    expect(engine.tensors).toBe(before);
  });

  it('gives a policy that samples, and learns from its own samples', async () => {
    const prompts = [
      [5, 6, 7],
      [8, 9],
    ];
    const samples = await engine.sample(
      imported,
      prompts.map((prompt, i) => ({ id: `${i}`, prompt, seed: i, temperature: 1, maxTokens: 6 })),
    );
    const rows = samples.map(({ id, tokens, logProbs }, i) => ({
      ...{ id, group: 'solve.deduction', prompt: prompts[i] ?? [], completion: tokens, logProbs },
      advantage: i === 0 ? 1 : -1,
    }));
    const { config } = await resolveRunConfig('smollm2');
    const { checkpoint, statistics } = await engine.learn(imported, rows, learnConfig(config, 1), at('v1'));
    expect(checkpoint.version).toBe(1);
    expect(statistics.rows).toBe(2);
    // The ratio of the first step is 1: what the sampler said is what the learner's own pass says.
    expect(statistics.approxKl).toBeLessThan(1e-9);
    expect(statistics.gradNorm).toBeGreaterThan(0);
  });
});
