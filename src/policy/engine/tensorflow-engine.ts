/**
 * The policy engine in this process: checkpoints in, samples and checkpoints out. Graphs are built once a model shape.
 * One call at a time (engine-process.ts sees to it): a call may let go of the model that was longest unused.
 */
import { createHash } from 'node:crypto';
import {
  contentOf,
  digestOf,
  findCheckpoint,
  openCheckpoint,
  saveCheckpoint,
  type FrozenFile,
} from '../../learner/checkpoint.js';
import { Random } from '../../random.js';
import { openHuggingFaceModel } from '../hugging-face/folder.js';
import { uploadWeights, weightFiles } from '../hugging-face/weights.js';
import type {
  BackendInfo,
  CheckpointRef,
  FreshAdapters,
  ImitationConfig,
  LearnConfig,
  LearnRow,
  LearnStatistics,
  ModelSpec,
  PolicyEngine,
  Sample,
  SampleOptions,
  SampleRequest,
} from '../port.js';
import { checkLearnConfig } from './learn-config.js';
import { Learner } from './learner.js';
import { checkLora, initialAdapters } from './lora.js';
import { collectArrays } from './memory.js';
import { checkRow } from './microbatch.js';
import {
  contentOfModel,
  deleteModel,
  initialModel,
  modelBytes,
  uploadFrozen,
  uploadModel,
  weightsOf,
  type ModelTensors,
} from './model.js';
import { Native, type NativeTensor } from './native.js';
import { checkSpec } from './parameters.js';
import { Sampler } from './sampler.js';
import { newTotals, statisticsOf } from './statistics.js';
import { Succession } from './succession.js';

interface Loaded {
  readonly ref: CheckpointRef;
  readonly spec: ModelSpec;
  readonly steps: number;
  readonly tensors: ModelTensors;
  /** The weights beneath adapters, which are in `tensors`, too. */
  readonly frozen?: FrozenFile;
}

/** Models kept ready, newest first: a learner step's parent and child, and the one that is evaluated. */
const KEPT_MODELS = 3;
/** Fewer than that where they are larger together; the newest is always kept. */
const KEPT_BYTES = 2 ** 30;
/** Model shapes whose graphs are kept. */
const KEPT_SHAPES = 4;

export class TensorflowEngine implements PolicyEngine {
  readonly backend: BackendInfo;
  readonly #native: Native;
  readonly #models: Loaded[] = [];
  /** What the call at hand works with, which makes room for nothing. */
  readonly #used = new Set<Loaded>();
  /** By digest of the file; models with adapters share them. */
  readonly #frozen = new Map<string, readonly NativeTensor[]>();
  readonly #samplers: Kept<Sampler>;
  readonly #learners: Kept<Learner>;

  /**
   * @param threads what TensorFlow was told by its environment; reported, not set, here.
   * @param native where tensors live and graphs run; default: TensorFlow's own session
   */
  constructor(threads: number, native = new Native()) {
    this.#native = native;
    this.backend = this.#native.describe(threads);
    this.#samplers = new Kept((spec) => new Sampler(this.#native, spec));
    this.#learners = new Kept((spec) => new Learner(this.#native, spec));
  }

  async initialise(spec: ModelSpec, seed: number, folder: string): Promise<CheckpointRef> {
    checkSpec(spec);
    if (spec.lora !== undefined)
      throw new RangeError(
        `lora has rank ${spec.lora.rank}; accepted is none: adapters are for weights that somebody trained (importModel)`,
      );
    const provenance = sha256(JSON.stringify(['initialise', specKey(spec), seed]));
    return (
      (await findCheckpoint(folder, provenance)) ??
      (await saveCheckpoint(
        contentOf({ version: 0, spec, steps: 0, ...initialModel(spec, seed) }),
        folder,
        provenance,
      ))
    );
  }

  async importModel(source: string, folder: string, adapters?: FreshAdapters): Promise<CheckpointRef> {
    if (adapters !== undefined) checkLora(adapters.lora);
    const { spec: plain, source: weights } = await openHuggingFaceModel(source);
    let parameters: readonly NativeTensor[] = [];
    try {
      const spec = adapters === undefined ? plain : { ...plain, lora: adapters.lora };
      const digests: string[] = [];
      for (const file of weightFiles(plain, weights)) digests.push((await digestOf(file)).sha256);
      const inputs = ['import', specKey(spec), digests];
      const provenance = sha256(JSON.stringify(adapters === undefined ? inputs : [...inputs, adapters.seed]));
      const found = await findCheckpoint(folder, provenance);
      if (found !== undefined) return found;
      parameters = await uploadWeights(this.#native, plain, weights);
      const tensors = { parameters, first: [], second: [] };
      const head = { version: 0, steps: 0 };
      const { read } = contentOfModel(this.#native, { ...head, spec: plain }, tensors, 'fresh');
      if (adapters === undefined)
        return await saveCheckpoint({ ...head, spec, hasMoments: false, read }, folder, provenance);
      const values = initialAdapters(spec, adapters.seed);
      const content = {
        ...head,
        spec,
        hasMoments: false,
        read: (_part: unknown, name: string) => values.get(name) as Float32Array,
        frozen: { read: (name: string) => read('weights', name) },
      };
      return await saveCheckpoint(content, folder, provenance);
    } finally {
      this.#native.delete(...parameters);
      await weights.close();
    }
  }

  async #load(ref: CheckpointRef): Promise<Loaded> {
    const at = this.#models.findIndex(({ ref: { digest } }) => digest === ref.digest);
    const [known] = at < 0 ? [] : this.#models.splice(at, 1);
    if (known !== undefined) {
      this.#models.unshift(known);
      this.#used.add(known);
      return known;
    }
    const checkpoint = await openCheckpoint(ref);
    try {
      const { spec, steps, frozen } = checkpoint;
      const beneath = frozen === undefined ? {} : { frozen: await this.#frozenOf(spec, frozen) };
      const tensors = { ...(await uploadModel(this.#native, checkpoint)), ...beneath };
      const loaded: Loaded = { ref, spec, steps, tensors, ...(frozen === undefined ? {} : { frozen }) };
      this.#used.add(loaded);
      this.#keep(loaded);
      return loaded;
    } finally {
      await checkpoint.close();
    }
  }

  async #frozenOf(spec: ModelSpec, file: FrozenFile): Promise<readonly NativeTensor[]> {
    const known = this.#frozen.get(file.sha256);
    if (known !== undefined) return known;
    const tensors = await uploadFrozen(this.#native, spec, file);
    this.#frozen.set(file.sha256, tensors);
    return tensors;
  }

  #keep(loaded: Loaded): void {
    this.#models.unshift(loaded);
    let bytes = 0;
    const kept = this.#models.filter((model, i) => {
      bytes += modelBytes(model.spec);
      return i === 0 || this.#used.has(model) || (i < KEPT_MODELS && bytes <= KEPT_BYTES);
    });
    for (const model of this.#models.splice(0))
      if (!kept.includes(model)) deleteModel(this.#native, model.tensors);
    this.#models.push(...kept);
    const beneath = new Set(kept.map(({ frozen }) => frozen?.sha256));
    for (const [digest, tensors] of this.#frozen)
      if (!beneath.has(digest)) {
        this.#frozen.delete(digest);
        this.#native.delete(...tensors);
      }
    collectArrays();
  }

  async sample(
    checkpoint: CheckpointRef,
    requests: readonly SampleRequest[],
    options: SampleOptions = {},
  ): Promise<readonly Sample[]> {
    this.#used.clear();
    const { spec, tensors } = await this.#load(checkpoint);
    return this.#samplers.of(spec).sample(weightsOf(tensors), requests, options);
  }

  async learn(
    parent: CheckpointRef,
    rows: readonly LearnRow[],
    config: LearnConfig,
    folder: string,
    options: {
      signal?: AbortSignal;
      onProgress?: (rowsDone: number) => void;
      reference?: CheckpointRef;
    } = {},
  ): Promise<{ checkpoint: CheckpointRef; statistics: LearnStatistics }> {
    checkLearnConfig(config);
    if (rows.length === 0) throw new RangeError('rows is empty; at least one is needed');
    this.#used.clear();
    const loaded = await this.#load(parent);
    const { spec, steps, frozen } = loaded;
    const beneath = frozen === undefined ? {} : { frozen };
    for (const row of rows) checkRow(spec, row, true);
    const reference = await this.#reference(config, options.reference, spec);
    const totals = newTotals();
    const minibatches = cut(new Random(config.shuffleSeed).shuffle(rows), config.minibatches);
    using succession = this.#succeed(loaded, reference);
    for (const minibatch of minibatches)
      await succession.step((model, consume) =>
        this.#learners.of(spec).step(model, minibatch, config, 'policy', steps + totals.steps + 1, totals, {
          signal: options.signal,
          onRows: () => options.onProgress?.(totals.rows),
          reference: reference === undefined ? undefined : weightsOf(reference.tensors),
          consume,
        }),
      );
    const inputs = ['learn', parent.digest, rows, config];
    const provenance = sha256(
      JSON.stringify(reference === undefined ? inputs : [...inputs, reference.ref.digest]),
    );
    const statistics = statisticsOf(totals);
    const found = await findCheckpoint(folder, provenance);
    // First write wins: what follows works with the saved bytes.
    if (found !== undefined) return { checkpoint: found, statistics };
    const head = { version: parent.version + 1, spec, steps: steps + totals.steps, ...beneath };
    const checkpoint = await saveCheckpoint(
      contentOfModel(this.#native, head, succession.model, 'kept'),
      folder,
      provenance,
    );
    this.#used.clear();
    this.#keep({ ref: checkpoint, spec, steps: head.steps, tensors: succession.release(), ...beneath });
    return { checkpoint, statistics };
  }

  /** The parent of a large model is given up for its child: its file remains. */
  #succeed(parent: Loaded, reference?: Loaded): Succession {
    const givenUp = 2 * modelBytes(parent.spec) > KEPT_BYTES && reference !== parent;
    if (givenUp) this.#models.splice(this.#models.indexOf(parent), 1);
    return new Succession(this.#native, parent.tensors, givenUp);
  }

  async #reference(
    { klCoefficient }: LearnConfig,
    ref: CheckpointRef | undefined,
    spec: ModelSpec,
  ): Promise<Loaded | undefined> {
    if ((klCoefficient !== undefined) !== (ref !== undefined))
      throw new TypeError(
        klCoefficient === undefined
          ? `reference is checkpoint ${ref?.version ?? '?'} without klCoefficient; accepted are both or neither`
          : `klCoefficient is ${klCoefficient} and reference is missing; accepted are both or neither`,
      );
    if (ref === undefined) return undefined;
    const loaded = await this.#load(ref);
    if (specKey(loaded.spec) !== specKey(spec))
      throw new RangeError(
        `reference is checkpoint ${ref.version} of another model; accepted is one of the parent's shape and grammar`,
      );
    return loaded;
  }

  async imitate(
    parent: CheckpointRef,
    batches: AsyncIterable<readonly LearnRow[]> | Iterable<readonly LearnRow[]>,
    config: ImitationConfig,
    folder: string,
    options: { signal?: AbortSignal; onProgress?: (step: number, loss: number) => void } = {},
  ): Promise<{ checkpoint: CheckpointRef; steps: number; loss: number }> {
    checkLearnConfig(config);
    this.#used.clear();
    const loaded = await this.#load(parent);
    const { spec, steps, frozen } = loaded;
    const hash = createHash('sha256').update(JSON.stringify(['imitate', parent.digest, config]));
    let taken = 0;
    let loss = Number.NaN;
    using succession = this.#succeed(loaded);
    for await (const rows of batches) {
      for (const row of rows) checkRow(spec, row, false);
      hash.update(JSON.stringify(rows));
      for (const minibatch of cut(rows, config.minibatches)) {
        const totals = newTotals();
        await succession.step((model, consume) =>
          this.#learners
            .of(spec)
            .step(model, minibatch, atStep(config, taken), 'likelihood', steps + taken + 1, totals, {
              signal: options.signal,
              consume,
            }),
        );
        taken += 1;
        loss = totals.negativeLogLikelihood / totals.tokens;
        options.onProgress?.(taken, loss);
      }
    }
    const provenance = hash.digest('hex');
    const checkpoint =
      (await findCheckpoint(folder, provenance)) ??
      (await saveCheckpoint(
        // What follows is another objective: its moments start anew.
        contentOfModel(
          this.#native,
          { version: parent.version, spec, steps: 0, ...(frozen === undefined ? {} : { frozen }) },
          succession.model,
          'fresh',
        ),
        folder,
        provenance,
      ));
    return { checkpoint, steps: taken, loss };
  }

  /** Tensors that TensorFlow holds for us: those of the kept models between calls. */
  get tensors(): number {
    return this.#native.tensors;
  }

  close(): Promise<void> {
    for (const { tensors } of this.#models.splice(0)) deleteModel(this.#native, tensors);
    for (const tensors of this.#frozen.values()) this.#native.delete(...tensors);
    this.#frozen.clear();
    this.#samplers.dispose();
    this.#learners.dispose();
    return Promise.resolve();
  }
}

/** Programs by model shape; the ones longest unused are disposed of. */
class Kept<T extends { dispose(): void }> {
  readonly #create: (spec: ModelSpec) => T;
  readonly #byKey = new Map<string, T>();

  constructor(create: (spec: ModelSpec) => T) {
    this.#create = create;
  }

  of(spec: ModelSpec): T {
    const key = specKey(spec);
    const item = this.#byKey.get(key) ?? this.#create(spec);
    this.#byKey.delete(key);
    this.#byKey.set(key, item);
    for (const [oldest, old] of this.#byKey) {
      if (this.#byKey.size <= KEPT_SHAPES) break;
      this.#byKey.delete(oldest);
      old.dispose();
    }
    return item;
  }

  dispose(): void {
    for (const item of this.#byKey.values()) item.dispose();
    this.#byKey.clear();
  }
}

/** `items` in `parts` runs whose sizes differ by at most one; fewer runs where there are fewer items. */
function cut<T>(items: readonly T[], parts: number): (readonly T[])[] {
  const count = Math.min(parts, items.length);
  return Array.from({ length: count }, (_, i) =>
    items.slice(Math.floor((i * items.length) / count), Math.floor(((i + 1) * items.length) / count)),
  );
}

/** The configuration of the step after `taken` ones. */
function atStep({ linearDecaySteps, ...config }: ImitationConfig, taken: number): LearnConfig {
  if (linearDecaySteps === undefined) return config;
  return { ...config, learningRate: config.learningRate * Math.max(0, 1 - taken / linearDecaySteps) };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const specKeys = new WeakMap<ModelSpec, string>();

function specKey(spec: ModelSpec): string {
  let key = specKeys.get(spec);
  if (key === undefined) {
    const { grammar, ...plain } = spec;
    const table = createHash('sha256');
    if (grammar !== undefined) {
      const { allowed, next, start } = grammar;
      table.update(JSON.stringify(start)).update(allowed);
      table.update(new Uint8Array(next.buffer, next.byteOffset, next.byteLength));
    }
    key = JSON.stringify([Object.entries(plain).sort(([a], [b]) => (a < b ? -1 : 1)), table.digest('hex')]);
    specKeys.set(spec, key);
  }
  return key;
}
