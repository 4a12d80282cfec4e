/**
 * Adapters against PEFT: two that it wrote, and what it says of them in expected.json (scripts/fixtures/hugging-face.py).
 * Both sides compute in float32, in another order of sums; bounds as in hugging-face-parity.test.ts.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBatchFile } from '../../src/learner/batch-file.js';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { adapterShapes } from '../../src/policy/engine/lora.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { openHuggingFaceModel } from '../../src/policy/hugging-face/folder.js';
import { transposed } from '../../src/policy/hugging-face/names.js';
import { ADAPTER_WEIGHTS, openPeftAdapter, uploadAdapter } from '../../src/policy/hugging-face/peft.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import { uploadWeights } from '../../src/policy/hugging-face/weights.js';
import type { LearnConfig, LearnRow } from '../../src/policy/port.js';
import { openSafetensorsFile, openSafetensorsFolder } from '../../src/policy/safetensors/reader.js';

const ROOT = path.resolve(import.meta.dirname, '../golden/hugging-face');
const LOGITS = 1e-4;

interface Expected extends ExpectedSteps {
  readonly base: string;
  readonly rounding: { readonly parametersAfter10: number };
  readonly trained: { readonly logits: number[][][] };
  readonly merged: { readonly logits: number[][][]; readonly weights: Summaries };
}

const entries = (data: Float32Array, { at }: Summary): number[] => at.map((k) => data[k] ?? Number.NaN);
/** PEFT's parameters in memory have the adapter's name, its file has not. */
const inMemory = (name: string): string => name.replace(/\.weight$/, '.default.weight');

let native: Native;
let scratch: string;
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  native = new Native();
  scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-lora-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe.each(['lora', 'lora-all'])('the adapter %s', (name) => {
  const folder = path.join(ROOT, name);
  let expected: Expected;
  let base: string;
  let rows: LearnRow[];
  let config: LearnConfig;
  beforeAll(async () => {
    expected = JSON.parse(await readFile(path.join(folder, 'expected.json'), 'utf8')) as Expected;
    base = path.join(ROOT, expected.base);
    const file = path.join(scratch, `${name}.json`);
    await writeFile(file, JSON.stringify(expected.policy.rows));
    rows = await readBatchFile(file);
    config = configOfSteps(expected);
  });

  const saysLogits = async (model: PretrainedModel, logits: readonly number[][][]): Promise<void> => {
    for (const [s, { ids }] of expected.sequences.entries())
      for (const i of ids.keys()) {
        const { lastLogits } = await model.score(ids.slice(0, i + 1));
        expect(worst(lastLogits, logits[s]?.[i] ?? [])).toBeLessThan(LOGITS);
      }
  };

  it('gives the logits after each token, and samples with them', async () => {
    const model = await PretrainedModel.load(native, base, { adapter: folder });
    await saysLogits(
      model,
      expected.sequences.map(({ logits }) => logits),
    );
    // The adapter says something: without it the logits are others.
    const plain = await PretrainedModel.load(native, base);
    const [{ ids, logits, logprobs } = { ids: [0], logits: [], logprobs: [] }] = expected.sequences;
    expect(worst((await model.score(ids)).tokenLogProbs, logprobs)).toBeLessThan(LOGITS);
    expect(worst((await plain.score(ids)).lastLogits, logits.at(-1) ?? [])).toBeGreaterThan(100 * LOGITS);
    plain.dispose();
    const [sample] = await model.generate([
      { id: 'a', prompt: ids, seed: 3, temperature: 1, maxTokens: 12, ignoreEnd: true },
    ]);
    const { tokenLogProbs } = await model.score([...ids, ...(sample?.tokens ?? [])]);
    expect(worst(sample?.logProbs ?? [], tokenLogProbs.slice(ids.length - 1))).toBeLessThan(LOGITS);
    model.dispose();
  });

  it.each([false, true])(
    'has the gradients of autograd, of adapters alone, recomputed %s',
    async (recompute) => {
      const { policy } = expected;
      const model = await openHuggingFaceModel(base);
      const adapter = await openPeftAdapter(folder, model.spec);
      const spec = { ...model.spec, lora: adapter.lora };
      const frozen = await uploadWeights(native, spec, model.source);
      const parameters = await uploadAdapter(native, spec, adapter.source);
      await model.source.close();
      await adapter.source.close();
      const program = new GradientProgram(native, spec, { ...PLAIN_VARIANT, recompute });
      const settings = native.create(
        Float32Array.of(config.clipLow, config.clipHigh, config.entropyCoefficient, 1),
        [4],
      );
      const weights = rows.map(() => 1 / policy.tokens);
      const batch = microbatchTensors(native, spec, rows, weights, settings);
      const { gradients, sums } = await program.run(native, [...frozen, ...parameters], batch);
      expect(Math.abs(sums.loss - policy.loss)).toBeLessThan(1e-5);
      expect(gradients.length).toBe(Object.keys(policy.gradients).length);
      for (const [i, { shape, layer, target, half }] of adapterShapes(spec).entries()) {
        const data = transposed((await native.read(gradients[i] as NativeTensor)) as Float32Array, ...shape);
        const [parameter] = Object.keys(policy.gradients).filter(
          (key) =>
            key.endsWith(`${target}.${half === 'loraA' ? 'lora_A' : 'lora_B'}.default.weight`) &&
            key.includes(`layers.${layer}.`),
        );
        const summary = policy.gradients[parameter ?? ''] as Summary;
        const bound = 2e-5 * summary.norm + 1e-7;
        expect(Math.abs(Math.hypot(...data) - summary.norm), parameter).toBeLessThan(bound);
        expect(worst(entries(data, summary), summary.values), parameter).toBeLessThan(bound);
      }
      native.delete(...frozen, ...parameters, ...gradients, ...(Object.values(batch) as NativeTensor[]));
      program.dispose();
    },
  );

  it('is stepped as torch.optim.AdamW steps it, once and ten times', async () => {
    const { adamW, policy, rounding } = expected;
    const model = await PretrainedModel.load(native, base, { adapter: folder });
    for (let step = 0; step < 10; step++) {
      const statistics = await model.step(rows, { ...config, microbatchRows: step % 2 === 0 ? 8 : 2 });
      expect(Math.abs(statistics.loss - (adamW.after10.losses[step] ?? Number.NaN))).toBeLessThan(2e-4);
      expect(statistics.gradNorm / (adamW.after10.gradNorms[step] ?? Number.NaN)).toBeCloseTo(1, 3);
      if (step === 0) expect(statistics.gradNorm / policy.gradNorm).toBeCloseTo(1, 5);
      const after = step === 0 ? adamW.after1 : step === 9 ? adamW.after10 : undefined;
      if (after === undefined) continue;
      const at = path.join(scratch, `${name}-${step}`);
      await model.saveAdapter(at);
      const source = await openSafetensorsFile(path.join(at, ADAPTER_WEIGHTS));
      const bound = step === 0 ? adamW.learningRate / 20 : Math.max(5 * rounding.parametersAfter10, 1e-4);
      expect([...source.names()].map(inMemory).sort()).toEqual(Object.keys(after.parameters).sort());
      for (const written of source.names()) {
        const summary = after.parameters[inMemory(written)] as Summary;
        const { data } = await source.read(written);
        expect(worst(entries(data, summary), summary.values), written).toBeLessThan(bound);
        expect(Math.abs(Math.hypot(...data) / summary.norm - 1), written).toBeLessThan(1e-4);
      }
      await source.close();
    }
    await saysLogits(model, expected.trained.logits);
    model.dispose();
    // Read back, it says the same.
    const again = await PretrainedModel.load(native, base, { adapter: path.join(scratch, `${name}-9`) });
    await saysLogits(again, expected.trained.logits);
    again.dispose();
  });

  it('is merged as merge_and_unload does it', async () => {
    const model = await PretrainedModel.load(native, base, { adapter: folder });
    const at = path.join(scratch, `${name}-merged`);
    await model.save(at);
    model.dispose();
    const source = await openSafetensorsFolder(at);
    for (const [parameter, summary] of Object.entries(expected.merged.weights)) {
      const { data } = await source.read(parameter);
      expect(worst(entries(data, summary), summary.values), parameter).toBeLessThan(1e-6);
      expect(Math.abs(Math.hypot(...data) / summary.norm - 1), parameter).toBeLessThan(1e-6);
    }
    await source.close();
    const merged = await PretrainedModel.load(native, at);
    await saysLogits(merged, expected.merged.logits);
    merged.dispose();
  });

  it('is written so that PEFT loads it, and says the same there', async (context) => {
    const python = process.env['AZR_PYTORCH_PYTHON'];
    if (python === undefined) {
      console.warn(
        'loading by PEFT is skipped: AZR_PYTORCH_PYTHON names no Python with torch, transformers and peft',
      );
      return context.skip();
    }
    const model = await PretrainedModel.load(native, base, { adapter: folder });
    const at = path.join(scratch, `${name}-for-peft`);
    for (let step = 0; step < 2; step++) await model.step(rows, config);
    await model.saveAdapter(at);
    const [{ ids } = { ids: [0] }] = expected.sequences;
    const { stdout } = await promisify(execFile)(python, ['-c', LOAD, base, at, ids.join()]);
    expect(worst(JSON.parse(stdout) as number[], (await model.score(ids)).lastLogits)).toBeLessThan(LOGITS);
    model.dispose();
  });
});

const LOAD = `
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
model = PeftModel.from_pretrained(base, sys.argv[2]).eval()
ids = torch.tensor([[int(i) for i in sys.argv[3].split(",")]])
with torch.no_grad():
    print(json.dumps(model(input_ids=ids).logits[0, -1].tolist()))
`;
import {
  configOfSteps,
  worst,
  type ExpectedSteps,
  type Summaries,
  type Summary,
} from '../support/hugging-face-fixture.js';

describe('a PEFT folder that is not taken', () => {
  const copy = async (change: (config: Record<string, unknown>) => void): Promise<string> => {
    const at = await mkdtemp(path.join(scratch, 'bad-'));
    for (const file of await readdir(path.join(ROOT, 'lora')))
      if (file.startsWith('adapter_'))
        await writeFile(path.join(at, file), await readFile(path.join(ROOT, 'lora', file)));
    const file = path.join(at, 'adapter_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    change(config);
    await writeFile(file, JSON.stringify(config));
    return at;
  };
  const load = async (at: string, base = 'qwen2.5-untied'): Promise<unknown> =>
    PretrainedModel.load(native, path.join(ROOT, base), { adapter: at }).catch((error: unknown) => error);

  it.each([
    ['use_dora', true, /use_dora is true; accepted is none: it is not built/],
    ['rank_pattern', { q_proj: 2 }, /rank_pattern is {"q_proj":2}; accepted/],
    ['modules_to_save', ['lm_head'], /modules_to_save is \["lm_head"\]; accepted/],
    [
      'target_modules',
      ['q_proj', 'c_attn'],
      /target_modules is \["q_proj","c_attn"\]; accepted are lists of q_proj/,
    ],
    ['target_modules', ['q_proj'], /tensor .*down_proj.lora_A.weight is none of this adapter's/],
    ['target_modules', ['k_proj', 'q_proj'], /has no tensor .*k_proj.lora_A.weight; .* of shape \[4, 32\]/],
    ['r', 5, /lora_A.weight has shape \[4, 32\]; accepted is \[5, 32\]/],
    ['r', 0, /r is 0; accepted are/],
    ['peft_type', 'IA3', /peft_type is "IA3"; accepted is LORA/],
  ])('%s = %j is named', async (key, value, message) => {
    expect(String(await load(await copy((config) => (config[key] = value))))).toMatch(message);
  });

  it('another model and a folder that is none are named', async () => {
    expect(String(await load(path.join(ROOT, 'lora'), 'smollm2'))).toMatch(
      /lora_A.weight has shape \[4, 32\]; accepted is \[4, 24\]/,
    );
    expect(String(await load(path.join(scratch, 'none')))).toMatch(
      /adapter_config.json cannot be read \(ENOENT\)/,
    );
  });
});
