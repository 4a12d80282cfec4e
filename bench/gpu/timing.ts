/** How long a learner's step and sampling take on this backend, on the shapes of the benches `learner` and `sampling`. */
import type { Native } from '../../src/policy/engine/native.js';
import { PretrainedModel } from '../../src/policy/hugging-face/pretrained.js';
import type { LearnConfig, LearnRow } from '../../src/policy/port.js';
import { Random } from '../../src/random.js';
import { OPTIMISER, tokenRows } from '../beside/models.js';
import { median } from '../median.js';

export interface Timed {
  readonly what: string;
  /** Medians. */
  readonly milliseconds: number;
  readonly tokensPerSecond: number;
  readonly all: readonly number[];
}

const CONFIG: LearnConfig = {
  ...OPTIMISER,
  minibatches: 1,
  microbatchRows: 1024,
  aggregation: 'token',
  shuffleSeed: 0,
};

async function timed(what: string, rounds: number, work: () => Promise<number>): Promise<Timed> {
  const all: number[] = [];
  let tokens = 0;
  for (let round = 0; round <= rounds; round++) {
    const started = process.hrtime.bigint();
    tokens = await work();
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
    // The first compiles.
    console.log(`  ${what}: ${milliseconds.toFixed(1)} ms${round === 0 ? ' (first, not counted)' : ''}`);
    if (round > 0) all.push(milliseconds);
  }
  const milliseconds = median(all);
  return { what, milliseconds, tokensPerSecond: (1000 * tokens) / milliseconds, all };
}

export async function timeModel(
  native: Native,
  name: string,
  folder: string,
  shape: {
    readonly step: readonly [rows: number, length: number];
    readonly batches: readonly number[];
    readonly prompt: number;
    readonly newTokens: number;
  },
  rounds: number,
): Promise<Timed[]> {
  const model = await PretrainedModel.load(native, folder);
  const { vocabulary } = model.spec;
  const [rows, length] = shape.step;
  const random = new Random(7);
  const made = tokenRows(rows, length, vocabulary, 1).map((ids, i): LearnRow => ({
    id: `${i}`,
    group: 'bench',
    prompt: ids.slice(0, length >> 3),
    completion: ids.slice(length >> 3),
    logProbs: new Array<number>(length - (length >> 3)).fill(-Math.log(vocabulary)),
    advantage: 2 * random.uniform() - 1,
  }));
  const results = [
    await timed(`${name}: step, fp32, ${rows} x ${length} tokens`, rounds, async () => {
      await model.step(made, CONFIG);
      return rows * length;
    }),
  ];
  for (const batch of shape.batches) {
    const requests = tokenRows(batch, shape.prompt, vocabulary, 2).map((prompt, i) => ({
      ...{ id: `${i}`, prompt, seed: i, temperature: 1, maxTokens: shape.newTokens, ignoreEnd: true },
    }));
    results.push(
      await timed(
        `${name}: sampling, batch ${batch}, ${shape.prompt} + ${shape.newTokens} tokens`,
        rounds,
        async () => (await model.generate(requests)).reduce((sum, { tokens }) => sum + tokens.length, 0),
      ),
    );
  }
  model.dispose();
  return results;
}
