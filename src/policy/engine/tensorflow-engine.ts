/** The policy engine in this process: sampling, learning and warm-up over graphs that are built once a shape. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { findCheckpoint, loadCheckpoint, saveCheckpoint } from '../../learner/checkpoint.js';
import { Random } from '../../random.js';
import type {
  BackendInfo,
  CheckpointRef,
  LearnConfig,
  LearnRow,
  LearnStatistics,
  ModelSpec,
  PolicyEngine,
  Sample,
  SampleRequest,
} from '../port.js';
import { GradientProgram, UpdateProgram } from './learner-graph.js';
import { bucketLength, microbatch } from './microbatch.js';
import { deleteModel, downloadModel, uploadModel, zeroMoments, type ModelTensors } from './model.js';
import { Native, type NativeTensor } from './native.js';
import { checkSpec, initialValues } from './parameters.js';
import { planSampling, runSampling, type SamplingBatch } from './sampling-batches.js';
import { SamplingProgram } from './sampling-graph.js';

interface Loaded {
  readonly ref: CheckpointRef;
  readonly spec: ModelSpec;
  readonly steps: number;
  readonly tensors: ModelTensors;
}

/** Models kept ready: the newest and the one before. */
const KEPT_MODELS = 2;

interface GroupSums {
  rows: number;
  tokens: number;
  entropy: number;
  loss: number;
}

export class TensorflowEngine implements PolicyEngine {
  readonly backend: BackendInfo;
  readonly #native: Native;
  readonly #models: Loaded[] = [];
  readonly #sampling = new Map<string, SamplingProgram>();
  readonly #gradients = new Map<string, GradientProgram>();
  readonly #updates = new Map<string, UpdateProgram>();

  constructor(threads: number) {
    this.#native = new Native();
    this.backend = this.#native.describe(threads);
  }

  async initialise(spec: ModelSpec, seed: number, folder: string): Promise<CheckpointRef> {
    checkSpec(spec);
    const shaped = [...initialValues(spec, seed)].map(([name, data]) => {
      const zero = zeroMoments(spec).get(name);
      return [name, { name, shape: zero?.shape ?? [data.length], data }] as const;
    });
    const provenance = sha256(JSON.stringify(['initialise', specKey(spec), seed]));
    return saveCheckpoint(
      {
        version: 0,
        spec,
        weights: new Map(shaped),
        first: zeroMoments(spec),
        second: zeroMoments(spec),
        steps: 0,
      },
      folder,
      provenance,
    );
  }

  async #load(ref: CheckpointRef): Promise<Loaded> {
    const known = this.#models.find(({ ref: { digest } }) => digest === ref.digest);
    if (known !== undefined) return known;
    const checkpoint = await loadCheckpoint(ref);
    const loaded = {
      ref,
      spec: checkpoint.spec,
      steps: checkpoint.steps,
      tensors: uploadModel(this.#native, checkpoint),
    };
    this.#keep(loaded);
    return loaded;
  }

  #keep(loaded: Loaded): void {
    this.#models.unshift(loaded);
    for (const old of this.#models.splice(KEPT_MODELS)) deleteModel(this.#native, old.tensors);
  }

  async sample(
    checkpoint: CheckpointRef,
    requests: readonly SampleRequest[],
    options: { signal?: AbortSignal; onProgress?: (tokens: number) => void } = {},
  ): Promise<readonly Sample[]> {
    const { spec, tensors } = await this.#load(checkpoint);
    const results = new Array<Sample | undefined>(requests.length);
    let tokens = 0;
    for (const batch of planSampling(spec, requests)) {
      options.signal?.throwIfAborted();
      const program = this.#samplingProgram(spec, batch);
      for (const [index, sample] of runSampling(this.#native, spec, program, tensors.parameters, requests, batch)) {
        results[index] = sample;
        tokens += sample.tokens.length;
      }
      options.onProgress?.(tokens);
      await nextTurn();
    }
    return results.map((sample, i) => {
      if (sample === undefined) throw new Error(`request ${requests[i]?.id ?? i} was not sampled`);
      return sample;
    });
  }

  #samplingProgram(spec: ModelSpec, { promptLength, samples, steps }: SamplingBatch): SamplingProgram {
    const key = JSON.stringify([specKey(spec), promptLength, samples, steps]);
    let program = this.#sampling.get(key);
    if (program === undefined) {
      program = new SamplingProgram(this.#native, spec, promptLength, samples, steps);
      this.#sampling.set(key, program);
    }
    return program;
  }

  async learn(
    parent: CheckpointRef,
    rows: readonly LearnRow[],
    config: LearnConfig,
    folder: string,
    options: { signal?: AbortSignal; onProgress?: (rowsDone: number) => void } = {},
  ): Promise<{ checkpoint: CheckpointRef; statistics: LearnStatistics }> {
    if (rows.length === 0) throw new RangeError('rows is empty; at least one is needed');
    const provenance = sha256(JSON.stringify(['learn', parent.digest, rows, config]));
    const loaded = await this.#load(parent);
    const shuffled = new Random(config.shuffleSeed).shuffle(rows);
    const size = Math.ceil(shuffled.length / config.minibatches);
    let model: ModelTensors = loaded.tensors;
    let { steps } = loaded;
    const totals = { loss: 0, gradNorm: 0, entropy: 0, approxKl: 0, clipped: 0, tokens: 0, rows: 0, steps: 0 };
    const groups: Record<string, GroupSums> = {};
    for (let at = 0; at < shuffled.length; at += size) {
      const minibatch = shuffled.slice(at, at + size);
      const result = await this.#gradientsOf(loaded.spec, model, minibatch, config, true, groups, options.signal);
      steps += 1;
      const next = this.#update(loaded.spec, model, result.gradients, config, steps);
      if (model !== loaded.tensors) deleteModel(this.#native, model);
      model = next.model;
      totals.loss += result.loss;
      totals.gradNorm += next.gradNorm;
      totals.entropy += result.entropy;
      totals.approxKl += result.approxKl;
      totals.clipped += result.clipped;
      totals.tokens += result.tokens;
      totals.rows += minibatch.length;
      totals.steps += 1;
      options.onProgress?.(totals.rows);
    }
    const version = parent.version + 1;
    const found = await findCheckpoint(folder, provenance);
    const checkpoint = found ?? (await this.#save(loaded.spec, model, version, steps, folder, provenance));
    this.#keep({ ref: checkpoint, spec: loaded.spec, steps, tensors: model });
    const statistics = {
      loss: totals.loss / totals.steps,
      gradNorm: totals.gradNorm / totals.steps,
      entropy: totals.entropy / totals.tokens,
      approxKl: totals.approxKl / totals.tokens,
      clipFraction: totals.clipped / totals.tokens,
      tokens: totals.tokens,
      rows: totals.rows,
      groups: Object.fromEntries(
        Object.entries(groups).map(([name, sums]) => [
          name,
          { ...sums, entropy: sums.entropy / sums.tokens, loss: sums.loss / sums.tokens },
        ]),
      ),
    };
    return { checkpoint, statistics };
  }

  async imitate(
    parent: CheckpointRef,
    batches: AsyncIterable<readonly LearnRow[]> | Iterable<readonly LearnRow[]>,
    config: LearnConfig,
    folder: string,
    options: { signal?: AbortSignal; onProgress?: (step: number, loss: number) => void } = {},
  ): Promise<{ checkpoint: CheckpointRef; steps: number; loss: number }> {
    const loaded = await this.#load(parent);
    const hash = createHash('sha256').update(JSON.stringify(['imitate', parent.digest, config]));
    let model = loaded.tensors;
    let { steps } = loaded;
    let loss = Number.NaN;
    let taken = 0;
    for await (const rows of batches) {
      hash.update(JSON.stringify(rows));
      const result = await this.#gradientsOf(loaded.spec, model, rows, config, false, {}, options.signal);
      steps += 1;
      taken += 1;
      const next = this.#update(loaded.spec, model, result.gradients, config, steps);
      if (model !== loaded.tensors) deleteModel(this.#native, model);
      model = next.model;
      loss = result.negativeLogLikelihood / result.tokens;
      options.onProgress?.(taken, loss);
    }
    // What follows is another objective: its moments start anew.
    const fresh = zeroMoments(loaded.spec);
    const { weights } = downloadModel(this.#native, loaded.spec, model);
    if (model !== loaded.tensors) deleteModel(this.#native, model);
    const checkpoint = await saveCheckpoint(
      { version: parent.version, spec: loaded.spec, weights, first: fresh, second: fresh, steps: 0 },
      folder,
      hash.digest('hex'),
    );
    return { checkpoint, steps: taken, loss };
  }

  /** Gradients of one minibatch, microbatch by microbatch; rows of similar length go together. */
  async #gradientsOf(
    spec: ModelSpec,
    model: ModelTensors,
    rows: readonly LearnRow[],
    config: LearnConfig,
    useRatio: boolean,
    groups: Record<string, GroupSums>,
    signal: AbortSignal | undefined,
  ): Promise<{
    gradients: NativeTensor[];
    loss: number;
    entropy: number;
    approxKl: number;
    clipped: number;
    negativeLogLikelihood: number;
    tokens: number;
  }> {
    const native = this.#native;
    const tokens = rows.reduce((sum, row) => sum + row.completion.length, 0);
    const weightOf = (row: LearnRow): number =>
      config.aggregation === 'token' ? 1 / tokens : 1 / (rows.length * row.completion.length);
    const settings = native.create(
      Float32Array.of(config.clipLow, config.clipHigh, config.entropyCoefficient, useRatio ? 1 : 0),
      [4],
    );
    let gradients = [...zeroMoments(spec).values()].map(({ data, shape }) => native.create(data, shape));
    const sums = { loss: 0, entropy: 0, approxKl: 0, clipped: 0, negativeLogLikelihood: 0 };
    const lengthOf = (row: LearnRow): number => row.prompt.length + row.completion.length;
    const sorted = rows.map((row) => (useRatio ? row : { ...row, advantage: 1 })).sort((a, b) => lengthOf(a) - lengthOf(b));
    for (let at = 0; at < sorted.length; at += config.microbatchRows) {
      signal?.throwIfAborted();
      const part = sorted.slice(at, at + config.microbatchRows);
      const length = bucketLength(Math.max(...part.map(lengthOf)), spec);
      const batch = microbatch(native, spec, part, part.map(weightOf), length, settings);
      const result = this.#gradientProgram(spec, length).run(native, model.parameters, gradients, batch);
      native.delete(...gradients, batch.tokens, batch.positions, batch.targets, batch.states);
      native.delete(batch.oldLogProbs, batch.advantages, batch.weights);
      gradients = result.gradients;
      const [loss = 0, entropy = 0, approxKl = 0, clipped = 0, negativeLogLikelihood = 0] = result.statistics;
      sums.loss += loss;
      sums.entropy += entropy;
      sums.approxKl += approxKl;
      sums.clipped += clipped;
      sums.negativeLogLikelihood += negativeLogLikelihood;
      addGroups(groups, part, result.entropy, result.logProbs);
      await nextTurn();
    }
    native.delete(settings);
    return { gradients, ...sums, tokens };
  }

  #gradientProgram(spec: ModelSpec, length: number): GradientProgram {
    const key = JSON.stringify([specKey(spec), length]);
    let program = this.#gradients.get(key);
    if (program === undefined) {
      program = new GradientProgram(this.#native, spec, length);
      this.#gradients.set(key, program);
    }
    return program;
  }

  #update(
    spec: ModelSpec,
    model: ModelTensors,
    gradients: readonly NativeTensor[],
    config: LearnConfig,
    step: number,
  ): { model: ModelTensors; gradNorm: number } {
    const key = specKey(spec);
    let program = this.#updates.get(key);
    if (program === undefined) {
      program = new UpdateProgram(this.#native, spec);
      this.#updates.set(key, program);
    }
    const { gradNorm, ...next } = program.run(this.#native, model, gradients, config, step);
    this.#native.delete(...gradients);
    if (!Number.isFinite(gradNorm))
      throw new RangeError(`the gradient norm is ${gradNorm} at optimiser step ${step}: the step is not taken`);
    return { model: next, gradNorm };
  }

  async #save(
    spec: ModelSpec,
    model: ModelTensors,
    version: number,
    steps: number,
    folder: string,
    provenance: string,
  ): Promise<CheckpointRef> {
    return saveCheckpoint({ version, spec, steps, ...downloadModel(this.#native, spec, model) }, folder, provenance);
  }

  /** Tensors that TensorFlow holds for us: constant between calls once models are loaded. */
  get tensors(): number {
    return this.#native.tensors;
  }

  close(): Promise<void> {
    for (const { tensors } of this.#models.splice(0)) deleteModel(this.#native, tensors);
    for (const programs of [this.#sampling, this.#gradients, this.#updates]) {
      for (const program of programs.values()) program.dispose();
      programs.clear();
    }
    return Promise.resolve();
  }
}

function addGroups(
  groups: Record<string, GroupSums>,
  rows: readonly LearnRow[],
  entropy: Float32Array,
  logProbs: Float32Array,
): void {
  let at = 0;
  for (const row of rows) {
    const sums = (groups[row.group] ??= { rows: 0, tokens: 0, entropy: 0, loss: 0 });
    sums.rows += 1;
    sums.tokens += row.completion.length;
    for (let i = 0; i < row.completion.length; i++, at++) {
      sums.entropy += entropy[at] ?? 0;
      sums.loss -= row.advantage * Math.exp((logProbs[at] ?? 0) - (row.logProbs[i] ?? logProbs[at] ?? 0));
    }
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const specKeys = new WeakMap<ModelSpec, string>();

function specKey(spec: ModelSpec): string {
  let key = specKeys.get(spec);
  if (key === undefined) {
    const { grammar, ...plain } = spec;
    const table = createHash('sha256');
    if (grammar !== undefined) table.update(grammar.allowed).update(Buffer.from(grammar.next.buffer));
    key = JSON.stringify([plain, table.digest('hex')]);
    specKeys.set(spec, key);
  }
  return key;
}
