import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../../src/config/errors.js';
import { presetNames, resolveRunConfig } from '../../../src/config/presets.js';

const yaml = async (text: string): Promise<string> => {
  const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'azr-')), 'mine.yaml');
  await writeFile(file, text);
  return file;
};

describe('presets', () => {
  it('all parse', async () => {
    const names = await presetNames();
    expect(names).toContain('tiny');
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

  it('names the line of bad YAML', async () => {
    const file = await yaml('seed: 1\npolicy: {kind: tiny\n');
    await expect(resolveRunConfig(file)).rejects.toThrow(/line \d+, column \d+ is not YAML/);
    await expect(resolveRunConfig(await yaml('- 1\n'))).rejects.toThrow(/no mapping/);
    await expect(resolveRunConfig('/nowhere/x.yaml')).rejects.toThrow(/cannot be read/);
  });
});

describe('nearest', () => {
  it('finds near names and keeps silent on far ones', () => {
    expect(nearest('clipHihg', ['clipLow', 'clipHigh'])).toBe('clipHigh');
    expect(nearest('zebra', ['clipLow', 'clipHigh'])).toBeUndefined();
  });
});
