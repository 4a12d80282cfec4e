/** What generation_config.json says of sampling, and who overrules it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drawSettings, stopStrings } from '../../../src/activities/draw-settings.js';
import { UsageError } from '../../../src/config/errors.js';
import { withModelSampling } from '../../../src/config/model-sampling.js';
import { resolveRunConfig, type ResolvedPreset } from '../../../src/config/presets.js';
import {
  drawOf,
  notBuiltFields,
  readGenerationSampling,
  type Draw,
} from '../../../src/policy/hugging-face/generation-config.js';
import { writeSmallLlama } from '../../support/hugging-face-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-sampling-'));
  await writeSmallLlama(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const says = (fields: object): Promise<void> =>
  writeFile(path.join(folder, 'generation_config.json'), JSON.stringify(fields));
const settled = async (preset: string, ...overrides: string[]): Promise<ResolvedPreset> =>
  withModelSampling(await resolveRunConfig(preset, [`policy.path=${folder}`, ...overrides]));

const ALL = {
  temperature: 0.7,
  top_k: 20,
  top_p: 0.8,
  min_p: 0.05,
  stop_strings: '</answer>',
  do_sample: true,
};

describe('generation_config.json', () => {
  it('speaks where the configuration is silent', async () => {
    await says(ALL);
    const { config, json, hash, sources } = await settled('smollm2');
    const draw = { topK: 20, topP: 0.8, minP: 0.05, stop: ['</answer>'] };
    expect(drawSettings(config, config.solve.temperature)).toEqual({ temperature: 0.7, ...draw });
    expect(config.propose.temperature).toBe(0.7);
    expect(stopStrings(config)).toEqual({ stop: ['</answer>'] });
    expect(sources.get('policy.sampling.topP')).toBe('model');
    // It stands in what RunStarted carries.
    expect(JSON.parse(json)).toEqual(config);
    expect(hash).not.toBe((await resolveRunConfig('smollm2', [`policy.path=${folder}`])).hash);
  });

  it("is read of what a generate() of Transformers would do, and the user's word comes first", async () => {
    const draw = async (asked: Partial<Draw>): Promise<Draw> =>
      drawOf(await readGenerationSampling(folder), asked);
    const truncated = { topK: 20, topP: 0.8, minP: 0.05 };
    await says(ALL);
    expect(await draw({})).toEqual({ temperature: 0.7, ...truncated });
    expect(await draw({ temperature: 0 })).toEqual({ temperature: 0 });
    expect(await draw({ temperature: 0, topK: 3 })).toEqual({ temperature: 0 });
    expect(await draw({ temperature: 1.5, topK: 0 })).toEqual({ temperature: 1.5, topP: 0.8, minP: 0.05 });
    for (const do_sample of [undefined, null, false]) {
      await says({ ...ALL, do_sample });
      expect(await draw({})).toEqual({ temperature: 0 });
      expect(await draw({ topK: 3 })).toEqual({ temperature: 0.7, ...truncated, topK: 3 });
    }
    await says({ do_sample: true });
    expect(await draw({})).toEqual({ temperature: 1 });
    await rm(path.join(folder, 'generation_config.json'));
    expect(await draw({})).toEqual({ temperature: 0 });
    expect(await draw({ temperature: 0.5 })).toEqual({ temperature: 0.5 });
  });

  it('says what of it is not built', async () => {
    await says({ ...ALL, repetition_penalty: 1.1, num_beams: 4, no_repeat_ngram_size: 0, typical_p: 1 });
    expect(await notBuiltFields(folder)).toEqual(['num_beams 4', 'repetition_penalty 1.1']);
    await says({ ...ALL, repetition_penalty: 1.0, num_beams: null });
    expect(await notBuiltFields(folder)).toEqual([]);
    await rm(path.join(folder, 'generation_config.json'));
    expect(await notBuiltFields(folder)).toEqual([]);
  });

  it('yields to the preset and to overrides, key by key', async () => {
    await says(ALL);
    const { config, sources } = await settled('smollm2', 'solve.temperature=1', 'policy.sampling.topK=0');
    expect(drawSettings(config, config.solve.temperature)).toEqual({
      ...{ temperature: 1, topP: 0.8, minP: 0.05, stop: ['</answer>'] },
    });
    expect(config.propose.temperature).toBe(0.7);
    expect(sources.get('solve.temperature')).toBe('override');
    const published = await settled('7b');
    expect(drawSettings(published.config, published.config.solve.temperature)).toEqual({ temperature: 1 });
  });

  it('that says nothing leaves temperature 1 and all tokens', async () => {
    await says({ eos_token_id: 2, temperature: null });
    const { config, hash } = await settled('smollm2');
    expect(drawSettings(config, config.solve.temperature)).toEqual({ temperature: 1 });
    expect(hash).toBe((await resolveRunConfig('smollm2', [`policy.path=${folder}`])).hash);
    await rm(path.join(folder, 'generation_config.json'));
    expect((await settled('smollm2')).hash).toBe(hash);
    const tiny = await resolveRunConfig('tiny');
    expect(await withModelSampling(tiny)).toBe(tiny);
    expect(drawSettings(tiny.config, 0.5)).toEqual({ temperature: 0.5 });
  });

  it.each([
    [{ temperature: 0 }, /generation_config\.json: temperature is 0; accepted are numbers above 0/],
    [{ top_k: 1.5 }, /top_k is 1\.5; accepted are integers from 0/],
    [{ top_p: 0 }, /top_p is 0; accepted are numbers above 0, up to 1/],
    [{ min_p: '0.1' }, /min_p is "0\.1"; accepted are numbers from 0 to 1/],
    [{ do_sample: 'yes' }, /do_sample is "yes"; accepted are true, false/],
    [{ stop_strings: [''] }, /stop_strings is \[""\]; accepted are a text or a list of texts, none empty/],
  ])('%j is named', async (fields, message) => {
    await says(fields);
    const error: unknown = await settled('smollm2').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(message);
  });
});
