/**
 * A Hugging Face folder at work, without a run around it: score, generate, take one optimiser step, write a folder of the
 * same layout. Runs keep checkpoints of their own instead (TensorflowEngine.importModel).
 */
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { checkLearnConfig } from '../engine/learn-config.js';
import { Learner } from '../engine/learner.js';
import { LogitsProgram } from '../engine/logits-graph.js';
import { requireMemory } from '../engine/memory.js';
import { checkRow } from '../engine/microbatch.js';
import { freshModel, type ModelTensors } from '../engine/model.js';
import type { Native } from '../engine/native.js';
import { parameterCount } from '../engine/parameters.js';
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
import type { FolderOptions } from '../safetensors/writer.js';
import { CONFIG_FILE, nameDtype } from './config.js';
import { openHuggingFaceModel, type HuggingFaceModel } from './folder.js';
import { uploadWeights, writeWeights } from './weights.js';

/** float32 */
const BYTES = 4;

export class PretrainedModel {
  readonly model: Omit<HuggingFaceModel, 'source'>;
  readonly #native: Native;
  #tensors: ModelTensors;
  /** Optimiser steps so far. */
  #steps = 0;

  private constructor(native: Native, model: HuggingFaceModel, tensors: ModelTensors) {
    this.#native = native;
    this.model = model;
    this.#tensors = tensors;
  }

  get spec(): ModelSpec {
    return this.model.spec;
  }

  /**
   * @throws ModelFileError for what is missing or does not fit, before weights are read.
   * @throws MemoryNeededError where the machine cannot hold the model.
   */
  static async load(native: Native, folder: string): Promise<PretrainedModel> {
    const model = await openHuggingFaceModel(folder);
    try {
      requireMemory(`the weights of ${folder}`, BYTES * parameterCount(model.spec));
      const parameters = await uploadWeights(native, model.spec, model.source);
      return new PretrainedModel(native, model, { parameters, first: [], second: [] });
    } finally {
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

  /** See LogitsProgram.run. */
  score(ids: readonly number[]): { lastLogits: Float32Array; tokenLogProbs: number[] } {
    this.checkIds(ids, 'ids');
    const program = new LogitsProgram(this.#native, this.spec);
    try {
      return program.run(this.#tensors.parameters, ids);
    } finally {
      program.dispose();
    }
  }

  /** Samples in request order. @throws RangeError for a request that the model cannot serve. */
  async generate(requests: readonly SampleRequest[], options: SampleOptions = {}): Promise<Sample[]> {
    const sampler = new Sampler(this.#native, this.spec);
    try {
      return await sampler.sample(this.#tensors.parameters, requests, options);
    } finally {
      sampler.dispose();
    }
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
      requireMemory('gradients and moments', 3 * BYTES * parameterCount(this.spec));
      this.#tensors = freshModel(this.#native, this.spec, this.#tensors.parameters);
    }
    const learner = new Learner(this.#native, this.spec);
    const totals = newTotals();
    const succession = new Succession(this.#native, this.#tensors, true);
    try {
      await succession.step((model, consume) =>
        learner.step(model, rows, config, 'policy', this.#steps + 1, totals, { consume }),
      );
      this.#tensors = succession.release();
      this.#steps += 1;
      return statisticsOf(totals);
    } catch (error) {
      this.#tensors = { parameters: [], first: [], second: [] };
      throw error;
    } finally {
      learner.dispose();
    }
  }

  /** @throws RangeError where `folder` is the model's own. */
  checkSave(folder: string): void {
    if (path.resolve(folder) === path.resolve(this.model.folder))
      throw new RangeError(`the folder to write is ${folder}, the model's own; accepted is another one`);
  }

  /**
   * A folder of the same layout: new weights, and every other file of the old one (tokenizer, templates) as it is; the
   * configuration names the type that the weights now have.
   * @throws RangeError as checkSave does.
   */
  async save(folder: string, options: Pick<FolderOptions, 'dtype' | 'shardBytes'> = {}): Promise<void> {
    this.checkSave(folder);
    await mkdir(folder, { recursive: true });
    for (const entry of await readdir(this.model.folder, { withFileTypes: true }))
      if (entry.isFile() && COPIED.test(entry.name))
        await copyFile(path.join(this.model.folder, entry.name), path.join(folder, entry.name));
    await nameDtype(path.join(folder, CONFIG_FILE), options.dtype ?? 'F32');
    await writeWeights(this.#native, this.spec, this.#tensors.parameters, folder, options);
  }

  dispose(): void {
    const { parameters, first, second } = this.#tensors;
    this.#native.delete(...parameters, ...first, ...second);
    this.#tensors = { parameters: [], first: [], second: [] };
  }
}

/** Configuration, tokenizer, chat template; neither weights of any kind nor their index. */
const COPIED = /^(?!.*\.index\.json$).*\.(json|jinja|txt|model)$/;
