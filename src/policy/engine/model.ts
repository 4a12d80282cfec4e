/** A checkpoint's tensors inside TensorFlow, and back. */
import type { Checkpoint } from '../../learner/checkpoint.js';
import type { ModelSpec } from '../port.js';
import type { NamedTensor } from '../safetensors.js';
import type { Native, NativeTensor } from './native.js';
import { initialValues, parameterShapes } from './parameters.js';

export interface ModelTensors {
  readonly parameters: readonly NativeTensor[];
  readonly first: readonly NativeTensor[];
  readonly second: readonly NativeTensor[];
}

export function uploadModel(native: Native, checkpoint: Checkpoint): ModelTensors {
  const upload = (tensors: ReadonlyMap<string, NamedTensor>, what: string): NativeTensor[] =>
    parameterShapes(checkpoint.spec).map(({ name, shape }) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`checkpoint ${checkpoint.version} has no ${what} ${name}`);
      if (tensor.shape.join() !== shape.join())
        throw new Error(
          `${what} ${name} has shape [${tensor.shape.join(', ')}]; the model's is [${shape.join(', ')}]`,
        );
      return native.create(tensor.data, shape);
    });
  return {
    parameters: upload(checkpoint.weights, 'weight'),
    first: upload(checkpoint.first, 'first moment'),
    second: upload(checkpoint.second, 'second moment'),
  };
}

export function downloadModel(
  native: Native,
  spec: ModelSpec,
  tensors: ModelTensors,
): Pick<Checkpoint, 'weights' | 'first' | 'second'> {
  const shapes = parameterShapes(spec);
  const download = (list: readonly NativeTensor[]): Map<string, NamedTensor> =>
    new Map(
      shapes.map(({ name, shape }, i) => {
        const tensor = list[i];
        if (tensor === undefined) throw new Error(`no tensor for ${name}`);
        return [name, { name, shape, data: Float32Array.from(native.read(tensor)) }];
      }),
    );
  return {
    weights: download(tensors.parameters),
    first: download(tensors.first),
    second: download(tensors.second),
  };
}

/** Fresh weights from a seed, and moments of an optimiser that has not stepped. */
export function initialModel(
  spec: ModelSpec,
  seed: number,
): Pick<Checkpoint, 'weights' | 'first' | 'second'> {
  const values = initialValues(spec, seed);
  const weights = new Map(
    parameterShapes(spec).map(({ name, shape }) => [
      name,
      { name, shape, data: values.get(name) as Float32Array },
    ]),
  );
  return { weights, first: zeroMoments(spec), second: zeroMoments(spec) };
}

export function zeroMoments(spec: ModelSpec): Map<string, NamedTensor> {
  return new Map(
    parameterShapes(spec).map(({ name, shape }) => [
      name,
      { name, shape, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) },
    ]),
  );
}

export function deleteModel(native: Native, tensors: ModelTensors): void {
  native.delete(...tensors.parameters, ...tensors.first, ...tensors.second);
}
