/** Our side of the benches `learner` and `sampling`: understands the lines of side.py, on the engine's own parts. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Learner } from '../../src/policy/engine/learner.js';
import { deleteModel, type ModelTensors } from '../../src/policy/engine/model.js';
import { Native } from '../../src/policy/engine/native.js';
import { Sampler } from '../../src/policy/engine/sampler.js';
import { newTotals } from '../../src/policy/engine/statistics.js';
import { openHuggingFaceModel } from '../../src/policy/hugging-face/folder.js';
import { uploadWeights } from '../../src/policy/hugging-face/weights.js';
import type { LearnConfig, LearnRow, ModelSpec } from '../../src/policy/port.js';
import { sizeOf } from '../../src/policy/shape.js';
import type { Optimiser, StepRows } from './process.js';

const native = new Native();
let threads = 1;
let model: { readonly spec: ModelSpec; tensors: ModelTensors } | undefined;
let learner: Learner | undefined;
let sampler: Sampler | undefined;
let steps = 0;
let settings: Partial<LearnConfig> = {};

function loaded(): { readonly spec: ModelSpec; tensors: ModelTensors } {
  if (model === undefined) throw new Error('no model is loaded');
  return model;
}

const seconds = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e9;

const ANSWERS: Readonly<Record<string, (request: never) => unknown>> = {
  versions: () => {
    const { backend, library } = native.describe(threads);
    return { library, backend, threads };
  },

  load: async ({ dir, ...more }: { dir: string; settings?: Partial<LearnConfig> }) => {
    const { spec, source } = await openHuggingFaceModel(dir);
    settings = more.settings ?? {};
    try {
      const parameters = await uploadWeights(native, spec, source);
      const zeros = parameters.map(({ shape }) => native.create(new Float32Array(sizeOf(shape)), shape));
      const second = zeros.map(({ shape }) => native.create(new Float32Array(sizeOf(shape)), shape));
      model = { spec, tensors: { parameters, first: zeros, second } };
      return { parameters: parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0) };
    } finally {
      await source.close();
    }
  },

  step: async ({ rows, optimiser }: { rows: StepRows; optimiser: Optimiser }) => {
    const { spec, tensors } = loaded();
    learner ??= new Learner(native, spec);
    const { ids, promptTokens, oldLogProbs, advantage } = rows;
    const made = ids.map((row, i): LearnRow => ({
      id: `${i}`,
      group: 'bench',
      prompt: row.slice(0, promptTokens),
      completion: row.slice(promptTokens),
      logProbs: oldLogProbs[i]?.slice(promptTokens - 1) ?? [],
      advantage: advantage[i] ?? 0,
    }));
    const config: LearnConfig = {
      ...optimiser,
      minibatches: 1,
      microbatchRows: ids.length,
      aggregation: 'token',
      shuffleSeed: 0,
      ...settings,
    };
    const totals = newTotals();
    const started = process.hrtime.bigint();
    const next = await learner.step(tensors, made, config, 'policy', steps + 1, totals, undefined);
    const took = seconds(started);
    steps += 1;
    deleteModel(native, tensors);
    loaded().tensors = next;
    return { seconds: took, loss: totals.loss, gradNorm: totals.gradNorm };
  },

  generate: async ({ prompts, newTokens }: { prompts: number[][]; newTokens: number }) => {
    const { spec, tensors } = loaded();
    sampler ??= new Sampler(native, spec);
    const requests = prompts.map((prompt, i) => ({
      id: `${i}`,
      prompt,
      seed: i,
      temperature: 1,
      maxTokens: newTokens,
      ignoreEnd: true,
    }));
    const started = process.hrtime.bigint();
    const samples = await sampler.sample(tensors.parameters, requests);
    return {
      seconds: seconds(started),
      tokens: samples.reduce((sum, { tokens }) => sum + tokens.length, 0),
    };
  },

  memory: () => {
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    return { peakBytes: kilobytes('VmHWM') * 1024, bytes: kilobytes('VmRSS') * 1024 };
  },
};

let first = true;
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as { readonly do: string };
  if (first) {
    first = false;
    ({ threads } = request as unknown as { threads: number });
    console.log('ready');
    continue;
  }
  const answer = ANSWERS[request.do];
  if (answer === undefined) throw new Error(`${request.do} is none of ${Object.keys(ANSWERS).join(', ')}`);
  console.log(JSON.stringify(await answer(request as never)));
}
