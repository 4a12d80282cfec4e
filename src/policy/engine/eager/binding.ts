/**
 * The engine on TensorFlow.js's public API: slower, on any of its backends, and the oracle that the session's results are
 * held to. What is slow is the dispatch of each operation from script code.
 */
import * as tf from '@tensorflow/tfjs';
import { DTYPE, type Graph } from '../graph.js';
import type { Binding } from '../native.js';
import { interpret } from './interpreter.js';

type Data = Float32Array | Int32Array | Uint8Array;

/** On the backend that TensorFlow.js has at the time of each call: `tf.setBackend('cpu')` before, for plain script code. */
export class EagerBinding implements Binding {
  readonly TF_Version = tf.version_core;
  readonly lacks = ['bfloat16'] as const;
  readonly #tensors = new Map<number, tf.Tensor>();
  readonly #graphs = new Map<number, Graph>();
  #made = 0;

  describe(): { backend: string; library: string; reason: string } {
    return {
      backend: tf.getBackend(),
      library: `TensorFlow.js ${tf.version_core}`,
      reason: 'the public API was asked for',
    };
  }

  #hold(tensor: tf.Tensor): number {
    this.#made += 1;
    this.#tensors.set(this.#made, tensor);
    return this.#made;
  }

  #tensor(id: number): tf.Tensor {
    const tensor = this.#tensors.get(id);
    if (tensor === undefined) throw new Error(`tensor ${id} does not exist`);
    return tensor;
  }

  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number {
    // The public API may keep the array it is given.
    return this.#hold(tf.tensor(data.slice(), [...shape], dtype === DTYPE.float ? 'float32' : 'int32'));
  }

  deleteTensor(id: number): void {
    this.#tensor(id).dispose();
    this.#tensors.delete(id);
  }

  tensorDataSync(id: number): Data {
    return this.#tensor(id).dataSync<'float32'>().slice();
  }

  loadGraph(graph: Graph): number {
    this.#made += 1;
    this.#graphs.set(this.#made, graph);
    return this.#made;
  }

  loadSavedModel(): number {
    throw new Error('the public API takes graphs as they are');
  }

  deleteSavedModel(id: number): void {
    this.#graphs.delete(id);
  }

  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): { id: number; shape: readonly number[] }[] {
    const graph = this.#graphs.get(id);
    if (graph === undefined) throw new Error(`graph ${id} does not exist`);
    const names = inputNames.split(',');
    const given = new Map(inputs.map((tensor, i) => [names[i] ?? '', this.#tensor(tensor)]));
    return interpret(graph, given, outputNames.split(',')).map((tensor) => ({
      id: this.#hold(tensor),
      shape: tensor.shape,
    }));
  }

  isUsingGpuDevice(): boolean {
    return false;
  }

  getNumOfTensors(): number {
    return this.#tensors.size;
  }
}
