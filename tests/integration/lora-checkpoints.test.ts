/** Adapters as a run trains them: over weights that version 0 holds once, saved alone, found again bit for bit. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../src/config/presets.js';
import { CorruptCheckpointError, digestOf, loadCheckpoint } from '../../src/learner/checkpoint.js';
import { learnConfig } from '../../src/learner/learn-inputs.js';
import { adapterShapes } from '../../src/policy/engine/lora.js';
import { parameterShapes } from '../../src/policy/engine/parameters.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import {
  ADAPTABLE,
  type CheckpointRef,
  type FreshAdapters,
  type LearnConfig,
  type LearnRow,
} from '../../src/policy/port.js';
import { openSafetensorsFile } from '../../src/policy/safetensors/reader.js';
import { writeSmallLlama } from '../support/hugging-face-folder.js';

const ADAPTERS: FreshAdapters = { lora: { rank: 4, alpha: 8, targets: ADAPTABLE }, seed: 7 };
const PROMPTS = [
  [5, 6, 7],
  [8, 9],
  [10, 11, 12, 13],
];

let root: string;
let engine: TensorflowEngine;
let zero: CheckpointRef;
let config: LearnConfig;
const at = (...names: string[]): string => path.join(root, ...names);
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  root = await mkdtemp(path.join(os.tmpdir(), 'azr-adapters-'));
  await writeSmallLlama(at('model'));
  engine = new TensorflowEngine(1);
  zero = await engine.importModel(at('model'), at('run', 'v0'), ADAPTERS);
  const run = (await resolveRunConfig('smollm2')).config;
  config = { ...learnConfig(run, 1), learningRate: 1e-2 };
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

const requests = PROMPTS.map((prompt, i) => ({
  ...{ id: `${i}`, prompt, seed: i, temperature: 1, maxTokens: 8, ignoreEnd: true },
}));

async function rowsFrom(by: TensorflowEngine, checkpoint: CheckpointRef): Promise<LearnRow[]> {
  const samples = await by.sample(checkpoint, requests);
  return samples.map(({ id, tokens, logProbs }, i) => ({
    ...{ id, group: 'solve.deduction', prompt: PROMPTS[i] ?? [], completion: tokens, logProbs },
    advantage: [1, -1, 0.5][i] ?? 0,
  }));
}

describe('version 0', () => {
  it('says what the model says: B is 0, and A comes from the seed', async () => {
    const plain = await engine.importModel(at('model'), at('plain'));
    const [with_, without] = [await engine.sample(zero, requests), await engine.sample(plain, requests)];
    expect(with_.map(({ tokens }) => tokens)).toEqual(without.map(({ tokens }) => tokens));
    const { spec, weights } = await loadCheckpoint(zero);
    expect([...weights.keys()]).toEqual(adapterShapes(spec).map(({ name }) => name));
    for (const { name, half, shape } of adapterShapes(spec)) {
      const data = weights.get(name)?.data ?? new Float32Array();
      if (half === 'loraB') {
        expect(data.every((value) => value === 0)).toBe(true);
        continue;
      }
      const bound = 1 / Math.sqrt(shape[0]);
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
    }
    const other = await engine.importModel(at('model'), at('other'), { ...ADAPTERS, seed: 8 });
    expect(other.digest).not.toBe(zero.digest);
    expect(await engine.importModel(at('model'), at('run', 'v0'), ADAPTERS)).toEqual(zero);
  });

  it('is refused of a model that nobody trained, and with adapters that are none', async () => {
    const { spec } = await loadCheckpoint(zero);
    await expect(engine.initialise(spec, 1, at('never'))).rejects.toThrow(
      /lora has rank 4; accepted is none/,
    );
    await expect(
      engine.importModel(at('model'), at('never'), { seed: 1, lora: { ...ADAPTERS.lora, rank: 0 } }),
    ).rejects.toThrow(/lora\.rank is 0; accepted are integers from 1/);
    await expect(
      engine.importModel(at('model'), at('never'), {
        seed: 1,
        lora: { ...ADAPTERS.lora, targets: ['v_proj', 'q_proj'] },
      }),
    ).rejects.toThrow(/lora\.targets is \[v_proj, q_proj\]; accepted are one or more of q_proj/);
  });
});

describe('a step', () => {
  let rows: LearnRow[];
  let one: CheckpointRef;
  let two: CheckpointRef;
  beforeAll(async () => {
    rows = await rowsFrom(engine, zero);
    const first = await engine.learn(zero, rows, config, at('run', 'v1'));
    // What the sampler said is what the learner's own pass says: adapters are the same operations in both.
    expect(first.statistics.approxKl).toBeLessThan(1e-9);
    one = first.checkpoint;
    two = (await engine.learn(one, await rowsFrom(engine, one), config, at('run', 'v2'))).checkpoint;
  });

  it('saves adapters and their moments alone', async () => {
    expect((await readdir(one.folder)).sort()).toEqual([
      'adapters.safetensors',
      'frozen.json',
      'manifest.json',
      'optimizer.safetensors',
      'spec.json',
    ]);
    const { spec, weights, first, steps } = await loadCheckpoint(two);
    expect(steps).toBe(2);
    const before = (await loadCheckpoint(zero)).weights;
    for (const { name, shape } of adapterShapes(spec)) {
      expect(weights.get(name)?.shape).toEqual(shape);
      expect(weights.get(name)?.data, name).not.toEqual(before.get(name)?.data);
      expect(
        first.get(name)?.data.some((value) => value !== 0),
        name,
      ).toBe(true);
    }
  });

  it('leaves the weights beneath as they are, and changes what is sampled', async () => {
    const source = await openSafetensorsFile(path.join(zero.folder, 'model.safetensors'));
    const plain = await loadCheckpoint(await engine.importModel(at('model'), at('plain')));
    for (const { name } of parameterShapes(plain.spec))
      expect((await source.read(name)).data).toEqual(plain.weights.get(name)?.data);
    await source.close();
    const [before, after] = [await engine.sample(zero, requests), await engine.sample(two, requests)];
    expect(after.map(({ logProbs }) => logProbs)).not.toEqual(before.map(({ logProbs }) => logProbs));
  });

  it('gives the same bits to an engine that resumes, wherever it writes', async () => {
    const resumed = new TensorflowEngine(1);
    const again = await resumed.learn(
      one,
      await rowsFrom(resumed, one),
      config,
      at('elsewhere', 'deep', 'v2'),
    );
    expect(again.checkpoint.digest).toBe(two.digest);
    // And a run that was moved as a whole still finds what is beneath.
    await cp(at('run'), at('moved'), { recursive: true });
    const moved = (ref: CheckpointRef): CheckpointRef => ({
      ...ref,
      folder: at('moved', path.basename(ref.folder)),
    });
    await rm(at('moved', 'v2'), { recursive: true });
    const fresh = new TensorflowEngine(1);
    const { checkpoint } = await fresh.learn(
      moved(one),
      await rowsFrom(fresh, moved(one)),
      config,
      at('moved', 'v2'),
    );
    expect(checkpoint.digest).toBe(two.digest);
    await resumed.close();
    await fresh.close();
  });

  it('holds what is beneath once, and lets go of it', async () => {
    const own = new TensorflowEngine(1);
    const empty = own.tensors;
    await own.sample(zero, requests);
    const { spec } = await loadCheckpoint(zero);
    const adapters = 3 * adapterShapes(spec).length;
    expect(own.tensors - empty).toBe(parameterShapes(spec).length + adapters);
    await own.sample(one, requests);
    await own.sample(two, requests);
    expect(own.tensors - empty).toBe(parameterShapes(spec).length + 3 * adapters);
    for (const name of ['a', 'b', 'c']) {
      await writeSmallLlama(at(`model-${name}`), {}, name.charCodeAt(0));
      await own.sample(await own.importModel(at(`model-${name}`), at(`plain-${name}`)), requests);
    }
    expect(own.tensors - empty).toBe(3 * 3 * parameterShapes(spec).length);
    await own.close();
    expect(own.tensors).toBe(empty);
  });

  it('is held to version 0 by the reference policy', async () => {
    const options = { reference: zero };
    const held = { ...config, klCoefficient: 0.1 };
    const { statistics } = await engine.learn(
      two,
      await rowsFrom(engine, two),
      held,
      at('run', 'held'),
      options,
    );
    expect(statistics.groups['solve.deduction']?.referenceKl).toBeGreaterThan(0);
  });

  it('names weights beneath that are missing, damaged or of another size', async () => {
    const copied = async (name: string): Promise<CheckpointRef> => {
      await cp(at('run'), at(name), { recursive: true });
      return { ...one, folder: at(name, 'v1') };
    };
    const error = async (ref: CheckpointRef): Promise<unknown> => {
      const own = new TensorflowEngine(1);
      const failed = await own.sample(ref, requests).catch((reason: unknown) => reason);
      await own.close();
      return failed;
    };
    const missing = await copied('missing');
    await rm(at('missing', 'v0'), { recursive: true });
    expect(await error(missing)).toBeInstanceOf(CorruptCheckpointError);
    expect(String(await error(missing))).toMatch(
      /frozen weights are .*missing.v0.model\.safetensors, which is not there/,
    );
    const damaged = await copied('damaged');
    const file = at('damaged', 'v0', 'model.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(file, bytes);
    expect(String(await error(damaged))).toContain(
      `${file} are damaged: SHA-256 ${(await digestOf(file)).sha256}`,
    );
    const short = await copied('short');
    await writeFile(at('short', 'v0', 'model.safetensors'), bytes.subarray(0, 100));
    expect(String(await error(short))).toMatch(/which has 100 bytes; accepted is the file of \d+ bytes/);
  });
});
