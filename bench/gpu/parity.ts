/**
 * The engine on this backend against PyTorch's recorded numbers: logits, log-probabilities, greedy continuations by the
 * cache, gradients, one and ten steps of AdamW. Bounds are those of tests/integration/hugging-face-parity.test.ts.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readBatchFile } from '../../src/learner/batch-file.js';
import { GradientProgram, PLAIN_VARIANT } from '../../src/policy/engine/learner-graph.js';
import { microbatchTensors } from '../../src/policy/engine/microbatch.js';
import type { Native, NativeTensor } from '../../src/policy/engine/native.js';
import { openHuggingFaceModel } from '../../src/policy/hugging-face/folder.js';
import { cutSources, weightMappings } from '../../src/policy/hugging-face/names.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import { uploadWeights } from '../../src/policy/hugging-face/weights.js';
import type { LearnConfig, LearnRow } from '../../src/policy/port.js';
import { openSafetensorsFolder } from '../../src/policy/safetensors/reader.js';
import { worst, type Checks } from './check.js';
import { configOfSteps, type ExpectedSteps, type Summary } from './recorded.js';

interface Expected extends ExpectedSteps {
  readonly greedy: { readonly prompt: number[]; readonly tokens: number[]; readonly logprobs: number[] };
  readonly rounding: { readonly parametersAfter10: number };
}

const LOGITS = 1e-4;
const GRADIENTS = 2e-5;

const entries = (data: ArrayLike<number>, { at }: Summary): number[] => at.map((k) => data[k] ?? Number.NaN);

/** @param root the folder of models with an expected.json each. */
export async function checkRecorded(native: Native, root: string, checks: Checks): Promise<void> {
  const names = (await readdir(root, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('lora'))
    .map(({ name }) => name)
    .sort();
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'azr-gpu-'));
  try {
    for (const name of names) {
      const folder = path.join(root, name);
      const expected = JSON.parse(await readFile(path.join(folder, 'expected.json'), 'utf8')) as Expected;
      await checkForward(native, folder, name, expected, checks);
      // Models whose weights are rounded have no gradients recorded.
      if (/-(f16|bf16)$/.test(name)) continue;
      const file = path.join(scratch, `${name}.json`);
      await writeFile(file, JSON.stringify(expected.policy.rows));
      const rows = await readBatchFile(file);
      await checkGradients(native, folder, name, expected, rows, checks);
      await checkSteps(native, folder, name, expected, rows, scratch, checks);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function checkForward(
  native: Native,
  folder: string,
  name: string,
  { sequences, greedy }: Expected,
  checks: Checks,
): Promise<void> {
  const model = await PretrainedModel.load(native, folder);
  let [logits, logProbs] = [0, 0];
  const more = (most: number, difference: number): number =>
    Number.isNaN(difference) ? difference : Math.max(most, difference);
  for (const { ids, logits: wanted, logprobs } of sequences) {
    const { lastLogits, tokenLogProbs } = await model.score(ids);
    logits = more(logits, worst(lastLogits, wanted.at(-1) ?? []));
    logProbs = more(logProbs, worst(tokenLogProbs, logprobs));
  }
  checks.differs(`${name}: logits`, logits, LOGITS);
  checks.differs(`${name}: log-probabilities`, logProbs, LOGITS);
  const { prompt, tokens, logprobs } = greedy;
  const request = { id: 'greedy', prompt, seed: 0, temperature: 0, maxTokens: tokens.length };
  const [sample] = await model.generate([request]);
  checks.is(`${name}: greedy tokens`, sample?.tokens.join() === tokens.join());
  checks.differs(`${name}: their log-probabilities`, worst(sample?.logProbs ?? [], logprobs), LOGITS);
  model.dispose();
}

async function checkGradients(
  native: Native,
  folder: string,
  name: string,
  expected: Expected,
  rows: readonly LearnRow[],
  checks: Checks,
): Promise<void> {
  const { policy } = expected;
  const config = configOfSteps(expected);
  const model = await openHuggingFaceModel(folder);
  const parameters = await uploadWeights(native, model.spec, model.source);
  await model.source.close();
  for (const recompute of [false, true]) {
    const program = new GradientProgram(native, model.spec, { ...PLAIN_VARIANT, recompute });
    const values = [config.clipLow, config.clipHigh, config.entropyCoefficient, 1];
    const settings = native.create(Float32Array.from(values), [4]);
    const weights = rows.map(() => 1 / policy.tokens);
    const batch = microbatchTensors(native, model.spec, rows, weights, settings);
    const { gradients, sums } = await program.run(native, parameters, batch);
    const what = `${name}: ${recompute ? 'recomputed ' : ''}`;
    checks.differs(`${what}loss`, Math.abs(sums.loss - policy.loss), 1e-5);
    let most = 0;
    for (const [i, mapping] of weightMappings(model.spec).entries()) {
      const whole = (await native.read(gradients[i] as NativeTensor)) as Float32Array;
      for (const { name: parameter, data } of cutSources(mapping, whole)) {
        const summary = policy.gradients[parameter] as Summary;
        const of = Math.max(
          worst(entries(data, summary), summary.values),
          Math.abs(Math.hypot(...data) - summary.norm),
        );
        // 1e-7: what a gradient that is 0 may differ by.
        const relative = Math.max(0, of - 1e-7) / summary.norm;
        if (!(relative <= most) && of > 1e-7) most = relative;
      }
    }
    checks.differs(`${what}gradients, relative to each tensor's norm`, most, GRADIENTS);
    native.delete(...gradients, ...(Object.values(batch) as NativeTensor[]));
    program.dispose();
  }
  native.delete(...parameters);
}

async function checkSteps(
  native: Native,
  folder: string,
  name: string,
  expected: Expected,
  rows: readonly LearnRow[],
  scratch: string,
  checks: Checks,
): Promise<void> {
  const { adamW, rounding } = expected;
  const config: LearnConfig = configOfSteps(expected);
  const model = await PretrainedModel.load(native, folder);
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) {
    // Two sizes of microbatches: they change the order of sums alone.
    const { loss } = await model.step(rows, { ...config, microbatchRows: step % 2 === 0 ? 8 : 2 });
    losses.push(loss);
    const after = step === 0 ? adamW.after1 : step === 9 ? adamW.after10 : undefined;
    if (after === undefined) continue;
    const at = path.join(scratch, `${name}-${step}`);
    await model.save(at);
    const source = await openSafetensorsFolder(at);
    let most = 0;
    for (const [parameter, summary] of Object.entries(after.parameters)) {
      const { data } = await source.read(parameter);
      const difference = worst(entries(data, summary), summary.values);
      if (!(difference <= most)) most = difference;
    }
    await source.close();
    // Adam divides a gradient by its own size: where that is rounding only, its sign is chance.
    const bound = step === 0 ? adamW.learningRate / 20 : Math.max(5 * rounding.parametersAfter10, 1e-4);
    checks.differs(`${name}: parameters after ${step + 1} steps of AdamW`, most, bound);
  }
  checks.differs(`${name}: losses of 10 steps`, worst(losses, adamW.after10.losses), 2e-4);
  model.dispose();
}
