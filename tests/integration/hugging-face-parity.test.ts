/**
 * Against PyTorch and Transformers: small models of each architecture, what these say of them in expected.json
 * (scripts/fixtures/hugging-face.py). Both sides compute in float32, in another order of sums.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import { Native, type NativeTensor } from '../../src/policy/engine/native.js';
import { ScoreProgram } from '../../src/policy/engine/score-graph.js';
import { openHuggingFaceModel } from '../../src/policy/hugging-face/folder.js';
import { cutSources, weightMappings } from '../../src/policy/hugging-face/names.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import { uploadWeights } from '../../src/policy/hugging-face/weights.js';
import { readBatchFile } from '../../src/learner/batch-file.js';
import type { LearnConfig, LearnRow } from '../../src/policy/port.js';
import { openSafetensorsFolder } from '../../src/policy/safetensors/reader.js';
import { writeSafetensorsFolder } from '../../src/policy/safetensors/writer.js';
import { configOfSteps, worst, type ExpectedSteps, type Summary } from '../support/hugging-face-fixture.js';

const ROOT = path.resolve(import.meta.dirname, '../golden/hugging-face');

interface Expected extends ExpectedSteps {
  readonly greedy: { prompt: number[]; tokens: number[]; logprobs: number[] };
  /** Of the sequences as one batch: how far its logits are from those of the sequences alone. */
  readonly padding: Readonly<Record<'left' | 'right', { maxDifference: number }>>;
  readonly policy: ExpectedSteps['policy'] & {
    readonly entropy: number;
    readonly clipFraction: number;
    readonly approxKl: number;
  };
  /** How far two of the reference's own attention implementations are apart. */
  readonly rounding: {
    readonly logits: number;
    readonly gradients: number;
    readonly parametersAfter10: number;
  };
}

/**
 * Float32 has 24 bits, logits here are below 16, and some hundred terms are summed in another order: 1e-4 is about ten
 * times what the reference's two attention implementations differ by (`rounding`, to 5e-6), and a thousandth of what a
 * bias that is not applied, a wrong epsilon or a wrong position makes.
 */
const LOGITS = 1e-4;

const directories = (await readdir(ROOT, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('lora'))
  .map(({ name }) => name);
const expectedOf = async (name: string): Promise<Expected> =>
  JSON.parse(await readFile(path.join(ROOT, name, 'expected.json'), 'utf8')) as Expected;
/** The models whose weights are not rounded have gradients and steps, too. */
const trained = directories.filter((name) => !/-(f16|bf16)$/.test(name));

let native: Native;
let scratch: string;
beforeAll(async () => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3';
  native = new Native();
  scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-parity-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe.each(directories)('%s', (name) => {
  const folder = path.join(ROOT, name);
  let expected: Expected;
  let model: PretrainedModel;
  beforeAll(async () => {
    expected = await expectedOf(name);
    model = await PretrainedModel.load(native, folder);
  });
  afterAll(() => model.dispose());

  it('gives the logits after each token, and the log-probabilities of the tokens', async () => {
    for (const { ids, logits, logprobs } of expected.sequences) {
      expect(worst((await model.score(ids)).tokenLogProbs, logprobs)).toBeLessThan(LOGITS);
      for (const i of ids.keys()) {
        const { lastLogits } = await model.score(ids.slice(0, i + 1));
        expect(worst(lastLogits, logits[i] as number[])).toBeLessThan(LOGITS);
      }
    }
  });

  it('continues greedily with the same tokens, by its cache', async () => {
    const { prompt, tokens, logprobs } = expected.greedy;
    const [sample] = await model.generate([
      { id: 'greedy', prompt, seed: 0, temperature: 0, maxTokens: tokens.length },
    ]);
    expect(sample?.tokens).toEqual(tokens);
    expect(worst(sample?.logProbs ?? [], logprobs)).toBeLessThan(LOGITS);
    // And what is cached says what a full forward pass says.
    const { tokenLogProbs } = await model.score([...prompt, ...tokens]);
    expect(worst(sample?.logProbs ?? [], tokenLogProbs.slice(prompt.length - 1))).toBeLessThan(LOGITS);
  });

  it('says the same of a row whatever stands beside it, and however it is padded', async () => {
    const rows = expected.sequences
      .filter(({ ids }) => ids.length > 1)
      .map(({ ids: [first = 0, ...rest] }, i): LearnRow => ({
        id: String(i),
        group: 'g',
        prompt: [first],
        completion: rest,
        logProbs: [],
        advantage: 0,
      }));
    const source = await openSafetensorsFolder(folder);
    const parameters = await uploadWeights(native, model.spec, source);
    await source.close();
    const settings = native.create(new Float32Array(4), [4]);
    const batch = microbatchTensors(
      native,
      model.spec,
      rows,
      rows.map(() => 1),
      settings,
    );
    const program = new ScoreProgram(native, model.spec);
    const scores = program.run(parameters, batch);
    expect(
      worst(
        await native.read(scores),
        expected.sequences.flatMap(({ logprobs }) => logprobs),
      ),
    ).toBeLessThan(LOGITS);
    native.delete(...parameters, ...(Object.values(batch) as NativeTensor[]), scores);
    program.dispose();
    const requests = expected.sequences.map(({ ids }, i) => ({
      id: String(i),
      prompt: ids,
      seed: i,
      temperature: 0.8,
      maxTokens: 12,
    }));
    const together = await model.generate(requests);
    for (const [i, request] of requests.entries()) {
      // The reference says the same of these sequences alone, left padded and right padded.
      for (const side of ['left', 'right'] as const)
        expect(expected.padding[side].maxDifference).toBeLessThan(LOGITS / 10);
      const { tokens = [], logProbs = [] } = together[i] ?? {};
      const last = expected.sequences[i]?.logits.at(-1) ?? [];
      const first =
        (last[tokens[0] ?? -1] ?? Number.NaN) - Math.log(last.reduce((sum, x) => sum + Math.exp(x), 0));
      expect(Math.abs((logProbs[0] ?? Number.NaN) - first)).toBeLessThan(LOGITS);
      // And a full forward pass says it of what was sampled by the cache of a batch of many lengths.
      const { tokenLogProbs } = await model.score([...request.prompt, ...tokens]);
      expect(worst(logProbs, tokenLogProbs.slice(request.prompt.length - 1))).toBeLessThan(LOGITS);
      const [alone] = await model.generate([request]);
      expect(alone?.tokens).toEqual(together[i]?.tokens);
      expect(worst(alone?.logProbs ?? [], together[i]?.logProbs ?? [])).toBeLessThan(1e-5);
    }
  });
});

describe.each(trained)('the policy loss of %s', (name) => {
  const folder = path.join(ROOT, name);
  let expected: Expected;
  let rows: LearnRow[];
  let config: LearnConfig;
  beforeAll(async () => {
    expected = await expectedOf(name);
    const file = path.join(scratch, `${name}.json`);
    await writeFile(file, JSON.stringify(expected.policy.rows));
    rows = await readBatchFile(file);
    config = configOfSteps(expected);
  });

  it.each([false, true])('has the gradients of autograd, recomputed %s', async (recompute) => {
    const { policy } = expected;
    const model = await openHuggingFaceModel(folder);
    const parameters = await uploadWeights(native, model.spec, model.source);
    await model.source.close();
    const program = new GradientProgram(native, model.spec, { ...PLAIN_VARIANT, recompute });
    const settings = native.create(
      Float32Array.of(config.clipLow, config.clipHigh, config.entropyCoefficient, 1),
      [4],
    );
    const weights = rows.map(() => 1 / policy.tokens);
    const batch = microbatchTensors(native, model.spec, rows, weights, settings);
    const { gradients, sums } = await program.run(native, parameters, batch);
    expect(Math.abs(sums.loss - policy.loss)).toBeLessThan(1e-5);
    const seen = new Set<string>();
    for (const [i, mapping] of weightMappings(model.spec).entries()) {
      const values = (await native.read(gradients[i] as NativeTensor)) as Float32Array;
      for (const { name: parameter, data } of cutSources(mapping, values)) {
        const { norm, at, values: wanted } = policy.gradients[parameter] as Summary;
        seen.add(parameter);
        // Relative to the whole tensor: small entries are differences of large ones.
        expect(Math.abs(Math.hypot(...data) - norm), parameter).toBeLessThan(2e-5 * norm + 1e-7);
        expect(
          worst(
            at.map((k) => data[k] ?? Number.NaN),
            wanted,
          ),
          parameter,
        ).toBeLessThan(2e-5 * norm + 1e-7);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(policy.gradients).sort());
    native.delete(...parameters, ...gradients, ...(Object.values(batch) as NativeTensor[]));
    program.dispose();
  });

  it('is stepped as torch.optim.AdamW steps it, once and ten times', async () => {
    const { adamW, policy, rounding } = expected;
    const model = await PretrainedModel.load(native, folder);
    for (let step = 0; step < 10; step++) {
      // Two sizes of microbatches: they change the order of sums alone.
      const statistics = await model.step(rows, { ...config, microbatchRows: step % 2 === 0 ? 8 : 2 });
      expect(Math.abs(statistics.loss - (adamW.after10.losses[step] ?? Number.NaN))).toBeLessThan(2e-4);
      expect(statistics.gradNorm / (adamW.after10.gradNorms[step] ?? Number.NaN)).toBeCloseTo(1, 3);
      if (step === 0) {
        expect(statistics.tokens).toBe(policy.tokens);
        expect(statistics.entropy).toBeCloseTo(policy.entropy, 4);
        expect(statistics.clipFraction).toBeCloseTo(policy.clipFraction, 6);
        expect(statistics.approxKl).toBeCloseTo(policy.approxKl, 5);
      }
      const after = step === 0 ? adamW.after1 : step === 9 ? adamW.after10 : undefined;
      if (after === undefined) continue;
      // What is written is what was trained: read back from its file.
      const at = path.join(scratch, `${name}-${step}`);
      await model.save(at);
      const source = await openSafetensorsFolder(at);
      // Adam divides a gradient by its own size: where that is rounding only, its sign is chance. Ten steps of that are
      // what the reference's own implementations differ by.
      const bound = step === 0 ? adamW.learningRate / 20 : Math.max(5 * rounding.parametersAfter10, 1e-4);
      for (const [parameter, { norm, at: places, values }] of Object.entries(after.parameters)) {
        const { data } = await source.read(parameter);
        expect(
          worst(
            places.map((k) => data[k] ?? Number.NaN),
            values,
          ),
          parameter,
        ).toBeLessThan(bound);
        expect(Math.abs(Math.hypot(...data) / norm - 1), parameter).toBeLessThan(1e-5);
      }
      await source.close();
    }
    model.dispose();
  });
});

describe.each(directories.filter((name) => !trained.includes(name)))('%s', (name) => {
  it('is stepped as its values in float32 are, bit for bit: those have parity', async () => {
    const expected = await expectedOf(name.replace(/-(f16|bf16)$/, ''));
    const file = path.join(scratch, `${name}.json`);
    await writeFile(file, JSON.stringify(expected.policy.rows));
    const rows = await readBatchFile(file);
    const [wide, after, same] = ['wide', 'after', 'same'].map((to) =>
      path.join(scratch, `${name}-${to}`),
    ) as [string, string, string];
    const narrow = await PretrainedModel.load(native, path.join(ROOT, name));
    await narrow.save(wide);
    const model = await PretrainedModel.load(native, wide);
    const config = configOfSteps(expected);
    for (let i = 0; i < 2; i++)
      expect(await narrow.step(rows, config)).toEqual(await model.step(rows, config));
    await narrow.save(after);
    await model.save(same);
    const [a, b] = [await openSafetensorsFolder(after), await openSafetensorsFolder(same)];
    for (const parameter of a.names())
      expect((await a.read(parameter)).data).toEqual((await b.read(parameter)).data);
    await a.close();
    await b.close();
    for (const one of [narrow, model]) one.dispose();
  });
});

describe('a folder', () => {
  it('comes back from TensorFlow as it was read, in shards and in narrower types', async () => {
    const from = path.join(ROOT, 'qwen2-tied');
    const model = await PretrainedModel.load(native, from);
    for (const [to, options] of [
      ['whole', {}],
      ['sharded', { shardBytes: 20_000 }],
      ['narrow', { dtype: 'BF16' }],
    ] as const) {
      const at = path.join(scratch, `copy-${to}`);
      await model.save(at, options);
      const again = await openHuggingFaceModel(at);
      const original = await openSafetensorsFolder(from);
      if (to === 'sharded') expect(await readdir(at)).toContain('model.safetensors.index.json');
      for (const parameter of original.names()) {
        const [{ data }, { data: before }] = [
          await again.source.read(parameter),
          await original.read(parameter),
        ];
        if (to === 'narrow') {
          // 8 bits of precision: half a unit in the last place is at most 2^-8 of the value.
          data.forEach((x, i) =>
            expect(Math.abs(x - (before[i] ?? 0))).toBeLessThanOrEqual(2 ** -8 * Math.abs(before[i] ?? 0)),
          );
        } else expect(data).toEqual(before);
      }
      expect(again.dtype).toBe(to === 'narrow' ? 'bfloat16' : 'float32');
      await original.close();
      await again.source.close();
    }
    model.dispose();
  });

  it("with another model's tokenizer is refused by name, and one whose tokenizer cannot be read gives logits", async () => {
    const at = path.join(scratch, 'mismatched');
    await cp(path.join(ROOT, 'qwen2-tied'), at, { recursive: true });
    await cp(path.resolve(ROOT, '../tokenizer/digits'), at, { recursive: true });
    const before = native.tensors;
    await expect(PretrainedModel.load(native, at)).rejects.toThrow(
      /mismatched\/tokenizer\.json does not match the model: token .* is 383; accepted are 0 to 95/,
    );
    expect(native.tensors).toBe(before);
    await writeFile(path.join(at, 'tokenizer.json'), '{"a":1}');
    const model = await PretrainedModel.load(native, at);
    expect((await model.score([1, 2])).lastLogits).toHaveLength(96);
    model.dispose();
  });

  it('is not written with numbers that are none, and a ratio that overflows ends a step before that', async () => {
    const expected = await expectedOf('qwen2-tied');
    const from = path.join(ROOT, 'qwen2-tied');
    const row = { id: '0', group: 'g', prompt: [1, 2], completion: [3, 4], logProbs: [-4, -4], advantage: 1 };
    const mad = await PretrainedModel.load(native, from);
    await mad.step([row], { ...configOfSteps(expected), learningRate: 1e39 });
    const at = path.join(scratch, 'infinite');
    await expect(mad.save(at)).rejects.toThrow(
      /would be written with -?(Infinity|NaN) at \d+; accepted are finite/,
    );
    expect(await readdir(scratch)).not.toContain('infinite');
    mad.dispose();
    const model = await PretrainedModel.load(native, from);
    // Clipped, so that neither loss nor gradient shows it.
    const far = { ...row, logProbs: [-4, -200] };
    await expect(model.step([far], configOfSteps(expected))).rejects.toThrow(
      /log ratio is Infinity; accepted are finite numbers\. The step is not taken/,
    );
    model.dispose();
  });

  it('with a value that is no number is refused by name, and nothing is left in TensorFlow', async () => {
    const from = path.join(ROOT, 'qwen2-tied');
    const at = path.join(scratch, 'damaged');
    const model = await PretrainedModel.load(native, from);
    await model.save(at);
    model.dispose();
    const source = await openSafetensorsFolder(from);
    const tensors = [...source.names()].map((name) => source.find(name)?.entry ?? { name, shape: [] });
    await writeSafetensorsFolder(at, tensors, async (parameter) => {
      const { data } = await source.read(parameter);
      if (parameter === 'model.layers.1.mlp.up_proj.weight') data[17] = Number.NaN;
      return data;
    });
    await source.close();
    const before = native.tensors;
    await expect(PretrainedModel.load(native, at)).rejects.toThrow(
      /damaged\/model\.safetensors: tensor model\.layers\.1\.mlp\.up_proj\.weight holds NaN at 17; accepted are finite/,
    );
    expect(native.tensors).toBe(before);
  });
});
