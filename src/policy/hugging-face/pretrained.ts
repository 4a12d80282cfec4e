/**
 * A Hugging Face folder at work, without a run around it: score, generate, take one optimiser step, write a folder of the
 * same layout. Runs keep checkpoints of their own instead (TensorflowEngine.importModel).
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { placeFolder } from '../../archive/place-folder.js';
import { checkLearnConfig } from '../engine/learn-config.js';
import { Learner } from '../engine/learner.js';
import { SequenceLogits } from '../engine/logits-graph.js';
import { collectArrays, requireMemory } from '../engine/memory.js';
import { checkRow } from '../engine/microbatch.js';
import { adapterShapes, trainedCount } from '../engine/lora.js';
import { mergedParameter } from '../engine/merge-adapters.js';
import { freshModel, tensorsOf, weightsOf, type ModelTensors } from '../engine/model.js';
import type { Native, NativeTensor } from '../engine/native.js';
import { parameterCount, parameterShapes } from '../engine/parameters.js';
import { checkTokens } from '../engine/grammar-states.js';
import { Sampler } from '../engine/sampler.js';
import { newTotals, statisticsOf } from '../engine/statistics.js';
import { Succession } from '../engine/succession.js';
import type {
  LearnConfig,
  LearnRow,
  LearnStatistics,
  ModelSpec,
  Sample,
  SampleOptions,
  SampleRequest,
} from '../port.js';
import { ModelFileError } from '../safetensors/format.js';
import type { FolderOptions } from '../safetensors/writer.js';
import { ModelTokenizer } from '../tokenizer/index.js';
import { CONFIG_FILE, nameDtype } from './config.js';
import { openHuggingFaceModel, type HuggingFaceModel } from './folder.js';
import { copyModelFiles } from './model-files.js';
import {
  ADAPTER_CONFIG,
  openPeftAdapter,
  uploadAdapter,
  writePeftAdapter,
  type PeftAdapter,
} from './peft.js';
import { uploadWeights, writeParameters } from './weights.js';

/** float32 */
const BYTES = 4;

export class PretrainedModel {
  readonly model: Omit<HuggingFaceModel, 'source'>;
  readonly #native: Native;
  #tensors: ModelTensors;
  /** Optimiser steps so far. */
  #steps = 0;
  /** Each built when it is first asked for. */
  #logits: SequenceLogits | undefined;
  #sampler: Sampler | undefined;
  #learner: Learner | undefined;

  private constructor(native: Native, model: HuggingFaceModel, tensors: ModelTensors) {
    this.#native = native;
    this.model = model;
    this.#tensors = tensors;
  }

  get spec(): ModelSpec {
    return this.model.spec;
  }

  /**
   * @param options adapter: a folder as PEFT lays it out; its adapters are what `step` trains then.
   * @throws ModelFileError for what is missing or does not fit, before weights are read.
   * @throws MemoryNeededError where the machine cannot hold the model.
   */
  static async load(
    native: Native,
    folder: string,
    { adapter: adapterFolder }: { readonly adapter?: string } = {},
  ): Promise<PretrainedModel> {
    const model = await openHuggingFaceModel(folder);
    let adapter: PeftAdapter | undefined;
    try {
      await checkTokenizer(folder, model.spec.vocabulary);
      if (adapterFolder !== undefined) adapter = await openPeftAdapter(adapterFolder, model.spec);
      requireMemory(`the weights of ${folder}`, BYTES * parameterCount(model.spec));
      const weights = await uploadWeights(native, model.spec, model.source);
      collectArrays();
      if (adapter === undefined)
        return new PretrainedModel(native, model, { ...NOTHING, parameters: weights });
      const spec = { ...model.spec, lora: adapter.lora };
      try {
        const parameters = await uploadAdapter(native, spec, adapter.source);
        const tensors = { ...NOTHING, frozen: weights, parameters };
        return new PretrainedModel(native, { ...model, spec }, tensors);
      } catch (error) {
        native.delete(...weights);
        throw error;
      }
    } finally {
      await adapter?.source.close();
      await model.source.close();
    }
  }

  /** @throws RangeError for ids that the model cannot take. */
  checkIds(ids: readonly number[], what: string): void {
    const { context } = this.spec;
    if (ids.length === 0) throw new RangeError(`${what} is empty; at least one token is needed`);
    if (ids.length > context)
      throw new RangeError(`${what} has ${ids.length} tokens; accepted are at most context, ${context}`);
    checkTokens(this.spec, ids, what);
  }

  /** See SequenceLogits.run. */
  async score(ids: readonly number[]): Promise<{ lastLogits: Float32Array; tokenLogProbs: number[] }> {
    this.checkIds(ids, 'ids');
    this.#logits ??= new SequenceLogits(this.#native, this.spec);
    return this.#logits.run(weightsOf(this.#tensors), ids);
  }

  /** Samples in request order. @throws RangeError for a request that the model cannot serve. */
  generate(requests: readonly SampleRequest[], options: SampleOptions = {}): Promise<Sample[]> {
    this.#sampler ??= new Sampler(this.#native, this.spec);
    return this.#sampler.sample(weightsOf(this.#tensors), requests, options);
  }

  /**
   * One optimiser step over all rows; the first begins with moments of 0.
   * @throws RangeError for a row or a number that is not accepted, and where the gradient is not finite.
   */
  async step(rows: readonly LearnRow[], config: LearnConfig): Promise<LearnStatistics> {
    checkLearnConfig(config);
    if (rows.length === 0) throw new RangeError('rows is empty; at least one is needed');
    for (const row of rows) checkRow(this.spec, row, true);
    if (this.#tensors.first.length === 0) {
      // Gradients and two moments beside the weights; activations come on top.
      requireMemory('gradients and moments', 3 * BYTES * trainedCount(this.spec));
      this.#tensors = freshModel(this.#native, this.spec, this.#tensors);
    }
    const learner = (this.#learner ??= new Learner(this.#native, this.spec));
    const totals = newTotals();
    using succession = new Succession(this.#native, this.#tensors, true);
    // What is trained is gone with a step that fails.
    const { frozen } = this.#tensors;
    this.#tensors = frozen === undefined ? NOTHING : { ...NOTHING, frozen };
    await succession.step((model, consume) =>
      learner.step(model, rows, config, 'policy', this.#steps + 1, totals, { consume }),
    );
    this.#tensors = succession.release();
    this.#steps += 1;
    return statisticsOf(totals);
  }

  /**
   * Whether save, or saveAdapter, may write there: a folder that is new, empty, or one of before, which is replaced.
   * @throws RangeError for another.
   */
  async checkSave(folder: string, what: 'model' | 'adapter' = 'model'): Promise<void> {
    const fail = (why: string): never => {
      throw new RangeError(
        `the folder to write is ${folder}, ${why}; accepted is a new or empty one, or ${what === 'model' ? 'a model' : 'an adapter'} of before, which is replaced`,
      );
    };
    if (path.resolve(folder) === path.resolve(this.model.folder)) fail("the model's own");
    const names = await readdir(folder).catch((error: unknown): string[] => {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? [] : fail(`which cannot be read (${code ?? String(error)})`);
    });
    if (names.length > 0 && !names.includes(what === 'model' ? CONFIG_FILE : ADAPTER_CONFIG))
      fail('which holds other files');
  }

  /**
   * A folder of the same layout: new weights, into which adapters are merged, the tokenizer as it is, and a configuration that names the type that the
   * weights now have. Written beside and moved into place.
   * @throws RangeError as checkSave does.
   */
  async save(folder: string, options: Pick<FolderOptions, 'dtype' | 'shardBytes'> = {}): Promise<void> {
    await this.checkSave(folder);
    await placeFolder(path.resolve(folder), async (beside) => {
      await copyModelFiles(this.model.folder, beside);
      await nameDtype(path.join(beside, CONFIG_FILE), options.dtype ?? 'F32');
      await writeParameters(this.spec, (name) => this.#merged(name), beside, options);
    });
  }

  /** A parameter's values, its adapters merged into it. */
  async #merged(name: string): Promise<Float32Array> {
    const { frozen, parameters } = this.#tensors;
    const base = await this.#read(parameterShapes(this.spec), frozen ?? parameters, name);
    return mergedParameter(this.spec, name, base, (half) =>
      this.#read(adapterShapes(this.spec), parameters, half),
    );
  }

  async #read(
    shapes: readonly { readonly name: string }[],
    tensors: readonly NativeTensor[],
    name: string,
  ): Promise<Float32Array> {
    const tensor = tensors[shapes.findIndex((shape) => shape.name === name)];
    if (tensor === undefined) throw new Error(`no tensor for ${name}`);
    return (await this.#native.read(tensor)) as Float32Array;
  }

  /**
   * The adapters alone, as PEFT lays them out.
   * @throws RangeError where the model has none, and as checkSave does.
   */
  async saveAdapter(folder: string, options: Pick<FolderOptions, 'dtype'> = {}): Promise<void> {
    await this.checkSave(folder, 'adapter');
    const { parameters } = this.#tensors;
    await placeFolder(path.resolve(folder), (beside) =>
      writePeftAdapter(
        this.spec,
        path.basename(path.resolve(this.model.folder)),
        (name) => this.#read(adapterShapes(this.spec), parameters, name),
        beside,
        options,
      ),
    );
  }

  dispose(): void {
    this.#native.delete(...tensorsOf(this.#tensors), ...(this.#tensors.frozen ?? []));
    this.#tensors = NOTHING;
    this.#logits?.dispose();
    this.#sampler?.dispose();
    this.#learner?.dispose();
  }
}

/**
 * One that cannot be read is for those to name who need it: tokens go without.
 * @throws ModelFileError for a tokenizer that is another model's.
 */
async function checkTokenizer(folder: string, vocabulary: number): Promise<void> {
  const tokenizer = await ModelTokenizer.find(folder).catch((error: unknown) => {
    if (error instanceof ModelFileError) return undefined;
    throw error;
  });
  tokenizer?.checkFits(vocabulary);
}

const NOTHING: ModelTensors = { parameters: [], first: [], second: [] };
