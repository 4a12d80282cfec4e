/**
 * Tensors by id and graphs that are run, whatever runs them (backend.ts says which); and TensorFlow's session, by the native
 * addon of TensorFlow.js.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { BackendInfo, Compute } from '../port.js';
import { sizeOf } from '../shape.js';
import type { OperationAddon } from './eager/dispatch.js';
import { DTYPE, type DType, type Graph, type Tensor } from './graph.js';

export type TensorData = Float32Array | Int32Array | Uint8Array;

interface TensorMetadata {
  readonly id: number;
  readonly shape: readonly number[];
}

/** What the engine needs of TensorFlow: the native addon, or the public API behind the same calls (eager/). */
export interface Binding {
  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  /** A copy of the values: at once, or when the device has come so far. */
  tensorData(id: number): TensorData | Promise<TensorData>;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): TensorMetadata[];
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
  readonly TF_Version: string;
  /** Where graphs are taken as they are, without a file between. */
  loadGraph?(graph: Graph): number;
  /** Where it is not the addon. */
  describe?(): Partial<BackendInfo>;
  /** Types that tensors cannot have; absent: none. */
  readonly lacks?: readonly DType[];
  /** Whether a loop's condition may depend on what the device computes; absent: it may. */
  readonly conditionsFollowShapes?: boolean;
  /** Whether tensors lie in the memory of this process; absent: on a device. */
  readonly inHostMemory?: boolean;
  /** Beyond what is deleted; nothing of the binding is used after it. */
  close?(): void;
}

/** A tensor that lives in TensorFlow until it is deleted. */
export interface NativeTensor {
  readonly id: number;
  readonly shape: readonly number[];
}

export class Native {
  readonly #binding: Binding;
  #programs = 0;

  constructor(binding: Binding = sessionBinding()) {
    this.#binding = binding;
  }

  describe(threads: number): BackendInfo {
    const gpu = this.#binding.isUsingGpuDevice();
    return {
      backend: 'tfjs-node-gpu',
      device: gpu ? 'gpu' : 'cpu',
      library: `libtensorflow ${this.#binding.TF_Version}`,
      threads,
      reason: gpu ? 'a CUDA device is present' : 'no CUDA device: the same package on its CPU kernels',
      ...this.#binding.describe?.(),
    };
  }

  /** @throws RangeError where the backend does not know the type. */
  requireCompute(compute: Compute): void {
    if (compute === 'bfloat16' && this.#binding.lacks?.includes('bfloat16') === true)
      throw new RangeError(
        `compute is bfloat16; the backend ${this.describe(1).backend} has no such type: accepted is float32`,
      );
  }

  /** Graphs in sessions: each takes every shape, so that their number does not grow with the shapes that are met. */
  get programs(): number {
    return this.#programs;
  }

  get tensors(): number {
    return this.#binding.getNumOfTensors();
  }

  /** @param data not to be used afterwards: the tensor may share its memory, and steps in place write there. */
  create(data: Float32Array | Int32Array, shape: readonly number[]): NativeTensor {
    const size = sizeOf(shape);
    if (size !== data.length)
      throw new RangeError(`data has ${data.length} values; shape [${shape.join(', ')}] needs ${size}`);
    const dtype = data instanceof Float32Array ? DTYPE.float : DTYPE.int;
    return { id: this.#binding.createTensor(shape, dtype, data), shape };
  }

  /** A copy of the values. @throws Error where the device refused something since the last time. */
  async read(tensor: NativeTensor): Promise<TensorData> {
    return this.#binding.tensorData(tensor.id);
  }

  /** See Binding. */
  get conditionsFollowShapes(): boolean {
    return this.#binding.conditionsFollowShapes === true;
  }

  /** See Binding. */
  get inHostMemory(): boolean {
    return this.#binding.inHostMemory === true;
  }

  close(): void {
    this.#binding.close?.();
  }

  delete(...tensors: readonly NativeTensor[]): void {
    for (const { id } of tensors) this.#binding.deleteTensor(id);
  }

  /** @param inputs placeholders of the graph. */
  compile(graph: Graph, inputs: readonly Tensor[], outputs: readonly Tensor[]): Program {
    const taken = this.#binding.loadGraph?.(graph);
    if (taken !== undefined) return this.#program(taken, inputs, outputs);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'azr-graph-'));
    try {
      writeFileSync(path.join(folder, 'saved_model.pb'), graph.savedModel());
      const id = this.#binding.loadSavedModel(folder, 'serve');
      return this.#program(id, inputs, outputs);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #program(id: number, inputs: readonly Tensor[], outputs: readonly Tensor[]): Program {
    this.#programs += 1;
    return new Program(this.#binding, id, inputs, outputs, () => {
      this.#programs -= 1;
    });
  }
}

/** What TensorFlow.js's addon has: the same, but that reading is at once. */
export type Addon = Omit<Binding, 'tensorData' | 'describe'> & { tensorDataSync(id: number): TensorData };

/** TensorFlow's session. @throws Error saying how to set the library up, where it is not. */
export function sessionBinding(reason?: string): Binding {
  const addon = loadAddon();
  return {
    createTensor: (shape, dtype, data) => addon.createTensor(shape, dtype, data),
    deleteTensor: (id) => addon.deleteTensor(id),
    tensorData: (id) => addon.tensorDataSync(id),
    loadSavedModel: (folder, tags) => addon.loadSavedModel(folder, tags),
    deleteSavedModel: (id) => addon.deleteSavedModel(id),
    runSavedModel: (id, inputs, inputNames, outputNames) =>
      addon.runSavedModel(id, inputs, inputNames, outputNames),
    isUsingGpuDevice: () => addon.isUsingGpuDevice(),
    getNumOfTensors: () => addon.getNumOfTensors(),
    TF_Version: addon.TF_Version,
    inHostMemory: true,
    describe: () => (reason === undefined ? {} : { reason }),
  };
}

/** The native addon, on a CUDA device where the library finds one. @throws Error as sessionBinding does. */
export function loadAddon(): OperationAddon {
  const require = createRequire(import.meta.url);
  try {
    const tf = require('@tensorflow/tfjs-node-gpu') as {
      findBackend(name: string): { binding: OperationAddon };
    };
    // By name: another backend may have been chosen for TensorFlow.js's public API.
    return tf.findBackend('tensorflow').binding;
  } catch (error) {
    throw new Error(
      `the TensorFlow library is not set up (${(error as Error).message.split('\n')[0] ?? ''}); run: node scripts/start.mjs --setup-only`,
      { cause: error },
    );
  }
}

/** Tensors of one piece of work: what is still here at its end is deleted, whether it succeeded or threw. */
export class Scope {
  readonly #native: Native;
  readonly #held = new Set<NativeTensor>();

  constructor(native: Native) {
    this.#native = native;
  }

  hold<T extends readonly NativeTensor[]>(tensors: T): T {
    for (const tensor of tensors) this.#held.add(tensor);
    return tensors;
  }

  /** The caller owns them from here on. */
  release<T extends readonly NativeTensor[]>(tensors: T): T {
    for (const tensor of tensors) this.#held.delete(tensor);
    return tensors;
  }

  delete(tensors: readonly NativeTensor[]): void {
    this.#native.delete(...this.release(tensors));
  }

  [Symbol.dispose](): void {
    this.delete([...this.#held]);
  }
}

/** A graph in a session. */
export class Program {
  readonly #binding: Binding;
  readonly #id: number;
  readonly #inputs: string;
  readonly #outputs: string;
  readonly #onDispose: () => void;
  readonly inputTypes: readonly DType[];

  constructor(
    binding: Binding,
    id: number,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    onDispose: () => void,
  ) {
    this.#binding = binding;
    this.#onDispose = onDispose;
    this.#id = id;
    this.#inputs = inputs.map(({ name }) => name).join(',');
    this.#outputs = outputs.map(({ name }) => name).join(',');
    this.inputTypes = inputs.map(({ dtype }) => dtype);
  }

  /** Outputs belong to the caller, who deletes them. */
  run(inputs: readonly NativeTensor[]): NativeTensor[] {
    return this.#binding.runSavedModel(
      this.#id,
      inputs.map(({ id }) => id),
      this.#inputs,
      this.#outputs,
    );
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#id);
    this.#onDispose();
  }
}
