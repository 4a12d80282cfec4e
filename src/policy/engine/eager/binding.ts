/**
 * The engine on TensorFlow.js's public API: on any of its backends, and the oracle that the session's results are held to.
 * What is slow is the dispatch of each operation from script code.
 */
import * as tf from '@tensorflow/tfjs';
import { DTYPE, type Graph } from '../graph.js';
import type { Binding } from '../native.js';
import type { BackendInfo } from '../../port.js';
import { Interpreter } from './interpreter.js';
import { Value } from './value.js';

export type Data = Float32Array | Int32Array | Uint8Array;

/** A vector of at most so many integers may be sizes: its numbers are known without the device. */
const MOST_SIZES = 4;

/** On the backend that TensorFlow.js has at the time of each call: `tf.setBackend('cpu')` before, for plain script code. */
export class EagerBinding implements Binding {
  readonly TF_Version = tf.version_core;
  readonly lacks = ['bfloat16'] as const;
  readonly #values = new Map<number, Value>();
  readonly #graphs = new Map<number, { readonly graph: Graph; interpreter?: Interpreter }>();
  #made = 0;

  describe(): Pick<BackendInfo, 'backend' | 'library' | 'reason'> {
    return {
      backend: tf.getBackend(),
      library: `TensorFlow.js ${tf.version_core}`,
      reason: 'the public API was asked for',
    };
  }

  #hold(value: Value): number {
    this.#made += 1;
    this.#values.set(this.#made, value);
    return this.#made;
  }

  #value(id: number): Value {
    const value = this.#values.get(id);
    if (value === undefined) throw new Error(`tensor ${id} does not exist`);
    return value;
  }

  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number {
    const type = dtype === DTYPE.float ? 'float32' : 'int32';
    if (type === 'int32' && data.length <= MOST_SIZES)
      return this.#hold(Value.ofNumbers({ dtype: type, shape: [...shape], data: [...data] }));
    // The public API may keep the array it is given.
    return this.#hold(Value.ofTensor(tf.tensor(data.slice(), [...shape], type)));
  }

  deleteTensor(id: number): void {
    this.#value(id).release();
    this.#values.delete(id);
  }

  tensorData(id: number): Data | Promise<Data> {
    return this.#value(id).tensor.dataSync<'float32'>().slice();
  }

  /** The tensor itself, which stays the binding's. */
  protected tensorOf(id: number): tf.Tensor {
    return this.#value(id).tensor;
  }

  loadGraph(graph: Graph): number {
    this.#made += 1;
    this.#graphs.set(this.#made, { graph });
    return this.#made;
  }

  loadSavedModel(): number {
    throw new Error('the public API takes graphs as they are');
  }

  deleteSavedModel(id: number): void {
    this.#graphs.get(id)?.interpreter?.dispose();
    this.#graphs.delete(id);
  }

  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): { id: number; shape: readonly number[] }[] {
    const held = this.#graphs.get(id);
    if (held === undefined) throw new Error(`graph ${id} does not exist`);
    // A graph has one set of outputs: the program's.
    held.interpreter ??= new Interpreter(held.graph, outputNames.split(','));
    const names = inputNames.split(',');
    const given = new Map(inputs.map((tensor, i) => [names[i] ?? '', this.#value(tensor)]));
    return held.interpreter.run(given).map((value) => ({ id: this.#hold(value), shape: value.shape }));
  }

  isUsingGpuDevice(): boolean {
    return false;
  }

  getNumOfTensors(): number {
    return this.#values.size;
  }
}
