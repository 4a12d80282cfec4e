/**
 * A run that trains adapters of a small text policy, on the real parts: saved alone, replayed, forked, exported merged and
 * as PEFT lays them out.
 */
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { azrCli } from '../support/azr-cli.js';
import { writeSmallLlama } from '../support/hugging-face-folder.js';

const RUN = 'adapters';
const IDS = '5,6,7,8,9';

let dataDir: string;
let model: string;
const { azr, azrJson } = azrCli(() => dataDir);
const settings = (...overrides: string[]): string[] =>
  [
    `policy.path=${model}`,
    ...['policy.maxPromptTokens=6000', 'policy.maxContentTokens=5900', 'policy.maxResponseTokens=24'],
    ...['propose.kinds=[deduction,abduction]', 'propose.batch=1', 'solve.batch=1', 'learnability.samples=1'],
    ...['learner.optimiser.learningRate=0.01', 'schedule.iterations=2', 'evaluation.every=9'],
    ...overrides,
  ].flatMap((override) => ['--set', override]);

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'azr-adapters-run-'));
  model = path.join(dataDir, 'model');
  await writeSmallLlama(model, { max_position_embeddings: 8192 });
  const ran = await azr([
    ...['run', 'smollm2', '--run', RUN, '--follow'],
    ...settings('policy.loraRank=4', 'policy.loraAlpha=8', 'policy.loraTargets=[q_proj,v_proj,down_proj]'),
  ]);
  expect(ran.code, ran.out + ran.err).toBe(0);
});
afterAll(async () => {
  await azr(['down']);
  await rm(dataDir, { recursive: true, force: true });
});

const logits = async (...args: string[]): Promise<number[]> =>
  (await azrJson<{ lastLogits: number[] }>(['model', 'logits', ...args, '--ids', IDS, '--json'])).lastLogits;

const exported = async (...args: string[]): Promise<string> => {
  const folder = await mkdtemp(path.join(dataDir, 'exported-'));
  const done = await azr(['export', `${RUN}@2`, folder, ...args]);
  expect(done.code, done.out + done.err).toBe(0);
  return folder;
};

describe('a run with adapters', () => {
  it('saves the weights once, and adapters a version', async () => {
    const files = async (version: string): Promise<string[]> =>
      (await readdir(path.join(dataDir, 'checkpoints', RUN, version))).sort();
    expect(await files('v00000')).toEqual([
      'adapters.safetensors',
      'manifest.json',
      'model.safetensors',
      'spec.json',
    ]);
    for (const version of ['v00001', 'v00002'])
      expect(await files(version)).toEqual([
        ...['adapters.safetensors', 'frozen.json', 'manifest.json', 'optimizer.safetensors', 'spec.json'],
      ]);
  });

  it('is replayed without a difference, its learner bit for bit', async () => {
    const replayed = await azr(['replay', RUN, '--verify', 'rewards,advantages,learner']);
    expect(replayed.code, replayed.out + replayed.err).toBe(0);
    const { differences, counts } = await azrJson<{
      differences: unknown[];
      counts: { check: string; checked: number }[];
    }>(['replay', RUN, '--verify', 'learner', '--json']);
    expect(differences).toEqual([]);
    expect(counts.filter(({ check }) => check === 'learner').map(({ checked }) => checked)).toEqual([1, 1]);
  });

  it('is exported merged, and as adapters that say the same over the model', async () => {
    const [merged, adapters] = [await exported(), await exported('--lora')];
    expect((await readdir(adapters)).sort()).toEqual([
      ...['README.md', 'adapter_config.json', 'adapter_model.safetensors'],
    ]);
    const card = await readFile(path.join(adapters, 'README.md'), 'utf8');
    expect(card).toContain('library_name: peft');
    const config = JSON.parse(await readFile(path.join(adapters, 'adapter_config.json'), 'utf8')) as object;
    expect(config).toMatchObject({
      ...{ peft_type: 'LORA', r: 4, lora_alpha: 8, target_modules: ['q_proj', 'v_proj', 'down_proj'] },
      base_model_name_or_path: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    });
    const [whole, over, plain] = [
      await logits('--model', merged),
      await logits('--model', model, '--adapter', adapters),
      await logits('--model', model),
    ];
    const worst = (a: number[], b: number[]): number =>
      Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))));
    expect(worst(whole, over)).toBeLessThan(1e-5);
    expect(worst(whole, plain)).toBeGreaterThan(1e-3);
  });

  it('is exported where its model is not, if it is told of one', async () => {
    const away = path.join(dataDir, 'model-away');
    await rename(model, away);
    try {
      const folder = path.join(dataDir, 'elsewhere');
      const missing = await azr(['export', `${RUN}@2`, folder]);
      expect(missing.code).toBe(2);
      expect(missing.err).toMatch(/config\.json cannot be read \(ENOENT\); accepted is --model DIR/);
      expect(await readdir(dataDir)).not.toContain('elsewhere');
      const other = path.join(dataDir, 'other');
      await writeSmallLlama(other, { max_position_embeddings: 4096 });
      const wrong = await azr(['export', `${RUN}@2`, folder, '--model', other]);
      expect([wrong.code, wrong.err]).toEqual([
        2,
        expect.stringMatching(/other is another than run adapters began/),
      ]);
      const told = await exported('--model', away);
      expect(await readdir(told)).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json']));
    } finally {
      await rename(away, model);
    }
  });

  it('is forked with what is beneath its adapters', async () => {
    const fork = `${RUN}-fork`;
    const forked = await azr(['fork', `${RUN}@1`, '--run', fork]);
    expect(forked.code, forked.out + forked.err).toBe(0);
    const watched = await azr(['watch', fork]);
    expect(watched.code, watched.out + watched.err).toBe(0);
    const digests = await azrJson<{ run: string; digest: string }[]>([
      ...['sql', '--json'],
      `select run_id as run, checkpoint_digest as digest from iterations where iteration = 2 order by run`,
    ]);
    expect(digests.map(({ run }) => run)).toEqual([RUN, fork]);
    expect(digests[1]?.digest).toBe(digests[0]?.digest);
  });

  it('has to have some for --lora', async () => {
    const run = 'whole';
    const ran = await azr(['run', 'smollm2', '--run', run, '--follow', ...settings('schedule.iterations=1')]);
    expect(ran.code, ran.out + ran.err).toBe(0);
    const none = await azr(['export', run, path.join(dataDir, 'none'), '--lora']);
    expect(none.code).toBe(2);
    expect(none.err).toMatch(
      /--lora writes adapters, and run whole has none: .*policy\.loraRank is null.*without --lora/,
    );
  });
});
