/** Our side of the benches `learner` and `sampling`: understands the lines of side.py, by the model that the commands use. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openNative } from '../../src/policy/engine/backend.js';
import { parameterCount } from '../../src/policy/engine/parameters.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import type { LearnConfig, LearnRow } from '../../src/policy/port.js';
import type { Optimiser, StepRows } from './process.js';

const native = await openNative();
let threads = 1;
let model: PretrainedModel | undefined;
let settings: Partial<LearnConfig> = {};

function loaded(): PretrainedModel {
  if (model === undefined) throw new Error('no model is loaded');
  return model;
}

const seconds = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e9;

const ANSWERS: Readonly<Record<string, (request: never) => unknown>> = {
  versions: () => {
    const { backend, library, device } = native.describe(threads);
    return { library, backend, device, threads };
  },

  load: async ({ dir, ...more }: { dir: string; settings?: Partial<LearnConfig> }) => {
    settings = more.settings ?? {};
    model = await PretrainedModel.load(native, dir);
    return { parameters: parameterCount(model.spec) };
  },

  step: async ({ rows, optimiser }: { rows: StepRows; optimiser: Optimiser }) => {
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
    const started = process.hrtime.bigint();
    const { loss, gradNorm } = await loaded().step(made, config);
    return { seconds: seconds(started), loss, gradNorm };
  },

  generate: async ({ prompts, newTokens }: { prompts: number[][]; newTokens: number }) => {
    const requests = prompts.map((prompt, i) => ({
      id: `${i}`,
      prompt,
      seed: i,
      temperature: 1,
      maxTokens: newTokens,
      ignoreEnd: true,
    }));
    const started = process.hrtime.bigint();
    const samples = await loaded().generate(requests);
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
