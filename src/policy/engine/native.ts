/**
 * The native TensorFlow of TensorFlow.js: tensors by id, sessions over graphs. The only file that touches the binding.
 *
 * Backends in order: tfjs-node-gpu on a CUDA device, the same package on CPU. (webgpu needs a browser or a native WebGPU
 * runtime and is not tried in Node.)
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { BackendInfo, Compute } from '../port.js';
import { sizeOf } from '../shape.js';
import { DTYPE, type DType, type Graph, type Tensor } from './graph.js';

interface TensorMetadata {
  readonly id: number;
  readonly shape: readonly number[];
}

/** What the engine needs of TensorFlow: the native addon, or the public API behind the same calls (eager/). */
export interface Binding {
  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
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
  describe?(): Pick<BackendInfo, 'backend' | 'library' | 'reason'>;
  /** Types that tensors cannot have; absent: none. */
  readonly lacks?: readonly DType[];
}

/** A tensor that lives in TensorFlow until it is deleted. */
export interface NativeTensor {
  readonly id: number;
  readonly shape: readonly number[];
}

export class Native {
  readonly #binding: Binding;
  #programs = 0;

  constructor(binding: Binding = nativeBinding()) {
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

  create(data: Float32Array | Int32Array, shape: readonly number[]): NativeTensor {
    const size = sizeOf(shape);
    if (size !== data.length)
      throw new RangeError(`data has ${data.length} values; shape [${shape.join(', ')}] needs ${size}`);
    const dtype = data instanceof Float32Array ? DTYPE.float : DTYPE.int;
    return { id: this.#binding.createTensor(shape, dtype, data), shape };
  }

  /** A copy of the values. */
  read(tensor: NativeTensor): Float32Array | Int32Array | Uint8Array {
    return this.#binding.tensorDataSync(tensor.id);
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

function nativeBinding(): Binding {
  const require = createRequire(import.meta.url);
  try {
    const tf = require('@tensorflow/tfjs-node-gpu') as { backend(): { binding: Binding } };
    return tf.backend().binding;
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
