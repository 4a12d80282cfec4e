import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { nearest, UsageError } from '../../../src/config/errors.js';
import { requirePolicy } from '../../../src/config/policy-present.js';
import { freshAdapters, tinyPolicy, type HuggingFacePolicyConfig } from '../../../src/config/policy.js';
import { presetNames, resolveRunConfig } from '../../../src/config/presets.js';

const yaml = async (text: string): Promise<string> => {
  const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'azr-')), 'mine.yaml');
  await writeFile(file, text);
  return file;
};

describe('presets', () => {
  it('all parse', async () => {
    const names = await presetNames();
    expect(names).toEqual([
      '14b',
      '14b-coder',
      '3b-coder',
      '7b',
      '7b-coder',
      'llama-8b',
      'qwen3-4b',
      'small',
      'smollm2',
      'tiny',
    ]);
    for (const name of names) expect((await resolveRunConfig(name)).hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are overridden by --set, and their hash tells', async () => {
    const plain = await resolveRunConfig('tiny');
    const set = await resolveRunConfig('tiny', ['learner.clipLow=0.1', 'seed=7']);
    expect(set.config.learner.clipLow).toBe(0.1);
    expect(set.config.seed).toBe(7);
    expect(set.hash).not.toBe(plain.hash);
    expect((await resolveRunConfig('tiny', [])).hash).toBe(plain.hash);
  });

  it('names an unknown preset and the nearest known one', async () => {
    await expect(resolveRunConfig('tinny')).rejects.toThrow(/preset is "tinny".*did you mean tiny\?/);
  });

  it('names an unknown key and the nearest known one', async () => {
    await expect(resolveRunConfig('tiny', ['learner.clipLo=0.1'])).rejects.toThrow(
      /key learner\.clipLo is unknown; did you mean clipLow\?/,
    );
  });

  it('names a value out of range with its key', async () => {
    await expect(resolveRunConfig('tiny', ['propose.batch=0'])).rejects.toThrow(/propose\.batch is 0/);
    await expect(resolveRunConfig('tiny', ['propose'])).rejects.toThrow(
      /--set is "propose"; accepted is KEY=VALUE/,
    );
  });

  it('names a key of the wrong group of a union, and an unknown kind', async () => {
    await expect(resolveRunConfig('7b', ['policy.loraRnk=8'])).rejects.toThrow(
      /key policy\.loraRnk is unknown; did you mean loraRank\? \(accepted here: kind, model, path/,
    );
    await expect(resolveRunConfig('7b', ['policy.kind=huge'])).rejects.toThrow(
      /policy\.kind is "huge": accepted are tiny, huggingface/,
    );
    await expect(resolveRunConfig('7b', ['policy.model=7b'])).rejects.toThrow(
      /policy\.model is "7b": accepted is OWNER\/NAME/,
    );
  });

  it('names an override that no group of keys can take, and one whose value is no YAML', async () => {
    await expect(resolveRunConfig('tiny', ['seed.x=1'])).rejects.toThrow(/seed holds a value, not a group/);
    await expect(resolveRunConfig('tiny', ['a..b=1'])).rejects.toThrow(/accepted is KEY=VALUE/);
    await expect(resolveRunConfig('tiny', ['seed={'])).rejects.toThrow(
      /--set seed=\{: the value is not YAML/,
    );
    await expect(resolveRunConfig('tiny', ['__proto__.x=1'])).rejects.toThrow(/__proto__ is unknown/);
    await expect(resolveRunConfig('tiny', ['learner.clipLow=wide'])).rejects.toThrow(
      /learner\.clipLow is "wide": .*expected number/,
    );
  });

  it('tell where they come from, key by key', async () => {
    const { origin, sources } = await resolveRunConfig(
      '7b',
      ['learner.optimiser.learningRate=1e-5'],
      'published',
    );
    expect(origin).toEqual({
      preset: '7b',
      file: 'presets/7b.yaml',
      mode: 'published',
      overrides: ['learner.optimiser.learningRate=1e-5'],
    });
    expect(sources.get('learner.optimiser.learningRate')).toBe('override');
    expect(sources.get('propose.batch')).toBe('preset');
    expect(sources.get('learner.clipHigh')).toBe('mode');
    expect(sources.get('learner.clipLow')).toBe('default');
  });

  it('names the line of bad YAML', async () => {
    const file = await yaml('seed: 1\npolicy: {kind: tiny\n');
    await expect(resolveRunConfig(file)).rejects.toThrow(/line \d+, column \d+ is not YAML/);
    await expect(resolveRunConfig(await yaml('- 1\n'))).rejects.toThrow(/no mapping/);
    await expect(resolveRunConfig('/nowhere/x.yaml')).rejects.toThrow(/cannot be read/);
  });
});

describe('a policy that is not there', () => {
  const model = async (...files: string[]): Promise<string> => {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'azr-'));
    for (const file of files) await writeFile(path.join(dir, file), '{}');
    return dir;
  };
  const asked = async (...overrides: string[]): Promise<Error & { exitCode?: number }> => {
    const { config } = await resolveRunConfig('7b', overrides);
    return requirePolicy(config).then(
      () => new Error('it is there'),
      (error: unknown) => error as Error,
    );
  };

  it.each([
    [[], /the model Qwen\/Qwen2\.5-7B is needed, and policy\.path is null/],
    [['policy.path=/nowhere'], /its folder is "\/nowhere", where config\.json is missing/],
  ])('is told before any work, with exit code 3: %j', async (overrides, message) => {
    const error = await asked(...overrides);
    expect(error.exitCode).toBe(3);
    expect(error.message).toMatch(message);
  });

  it('is not there while a file of it is missing', async () => {
    const error = await asked(`policy.path=${await model('config.json')}`);
    expect(error.exitCode).toBe(3);
    expect(error.message).toMatch(/where tokenizer\.json is missing/);
  });

  it('that holds something else is a wrong configuration', async () => {
    const error = await asked(`policy.path=${await model('config.json', 'tokenizer.json')}`);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(
      /model\.safetensors is missing; accepted is a folder with model\.safetensors/,
    );
  });

  it('has to be named by an absolute path', async () => {
    expect(String(await asked('policy.path=models/x'))).toMatch(
      /policy\.path is "models\/x"; accepted is an absolute path, as in \/.*models\/x/,
    );
  });

  it('has adapters where a rank is given, on the linear maps that are named', async () => {
    const { config } = await resolveRunConfig('7b', [
      'policy.loraRank=8',
      'policy.loraTargets=[v_proj,q_proj]',
    ]);
    if (config.policy.kind !== 'huggingface') throw new Error('7b is a pre-trained model');
    expect(freshAdapters(config.policy, 1)?.lora).toEqual({
      rank: 8,
      alpha: 32,
      targets: ['q_proj', 'v_proj'],
    });
    const seeds = [1, 1, 2].map(
      (seed) => freshAdapters(config.policy as HuggingFacePolicyConfig, seed)?.seed,
    );
    expect(seeds[1]).toBe(seeds[0]);
    expect(seeds[2]).not.toBe(seeds[0]);
    const full = (await resolveRunConfig('7b')).config.policy as HuggingFacePolicyConfig;
    expect(freshAdapters(full, 1)).toBeUndefined();
    await expect(resolveRunConfig('7b', ['policy.loraTargets=[c_attn]'])).rejects.toThrow(
      /loraTargets.*q_proj/,
    );
  });

  it('tiny always is', async () => {
    const { config } = await resolveRunConfig('tiny');
    await expect(requirePolicy(config)).resolves.toBeUndefined();
    expect(tinyPolicy(config.policy)).toBe(config.policy);
    const other = (await resolveRunConfig('7b')).config.policy;
    expect(() => tinyPolicy(other)).toThrow(/policy\.kind is huggingface/);
  });
});

describe('nearest', () => {
  it('finds near names and keeps silent on far ones', () => {
    expect(nearest('clipHihg', ['clipLow', 'clipHigh'])).toBe('clipHigh');
    expect(nearest('zebra', ['clipLow', 'clipHigh'])).toBeUndefined();
  });
});
