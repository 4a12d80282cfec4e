/**
 * What a name of a graph stands for while it runs: a tensor of TensorFlow.js, or a few numbers that never leave this
 * process. Sizes, axes and bounds are such numbers: reading them back from a device would wait for all that is queued there.
 */
import * as tf from '@tensorflow/tfjs';

export interface Numbers {
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Longer than this, numbers are the device's. */
export const MOST_NUMBERS = 64;

export class Value {
  /** Undefined where it is known to the device alone. */
  readonly numbers: Numbers | undefined;
  #tensor: tf.Tensor | undefined;

  private constructor(tensor: tf.Tensor | undefined, numbers: Numbers | undefined) {
    this.#tensor = tensor;
    this.numbers = numbers;
  }

  /** Who holds the value owns the tensor. */
  static ofTensor(tensor: tf.Tensor, numbers?: Numbers): Value {
    return new Value(tensor, numbers);
  }

  static ofNumbers(numbers: Numbers): Value {
    return new Value(undefined, numbers);
  }

  get shape(): readonly number[] {
    return this.numbers?.shape ?? this.tensor.shape;
  }

  /** Made of the numbers when it is first asked for; outlives a tidy. */
  get tensor(): tf.Tensor {
    if (this.#tensor === undefined) {
      const { data, shape, dtype } = this.numbers as Numbers;
      this.#tensor = tf.keep(tf.tensor(typedArray(dtype, data), [...shape], dtype));
    }
    return this.#tensor;
  }

  /** @throws Error where the device alone knows, and cannot be waited for. */
  read(): readonly number[] {
    if (this.numbers !== undefined) return this.numbers.data;
    if (tf.getBackend() === 'webgpu')
      throw new Error(
        `a tensor of shape [${this.shape.join(', ')}] would be read in the middle of a graph; accepted on webgpu are sizes, axes and conditions that follow from shapes and constants`,
      );
    return Array.from(this.tensor.dataSync());
  }

  /** An owner of its own. */
  clone(): Value {
    return this.numbers === undefined
      ? new Value(tf.clone(this.tensor), undefined)
      : new Value(undefined, this.numbers);
  }

  release(): void {
    this.#tensor?.dispose();
    this.#tensor = undefined;
  }
}

function typedArray(
  dtype: Numbers['dtype'],
  data: readonly number[],
): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'float32') return Float32Array.from(data);
  return dtype === 'int32' ? Int32Array.from(data) : Uint8Array.from(data);
}
