/** A checkpoint's tensors inside TensorFlow, and back, one at a time. */
import type { Checkpoint, CheckpointContent, OpenCheckpoint } from '../../learner/checkpoint.js';
import type { ModelSpec } from '../port.js';
import type { NamedTensor } from '../safetensors/format.js';
import type { TensorSource } from '../safetensors/reader.js';
import { sizeOf } from '../shape.js';
import type { Native, NativeTensor } from './native.js';
import { initialValues, parameterCount, parameterShapes } from './parameters.js';

/** Each in the order of parameterShapes. */
export interface ModelTensors {
  readonly parameters: readonly NativeTensor[];
  readonly first: readonly NativeTensor[];
  readonly second: readonly NativeTensor[];
}

export async function uploadModel(native: Native, checkpoint: OpenCheckpoint): Promise<ModelTensors> {
  const { spec, version, weights, moments } = checkpoint;
  const made: NativeTensor[] = [];
  const upload = async (
    source: TensorSource | undefined,
    what: string,
    prefix = '',
  ): Promise<NativeTensor[]> => {
    const tensors: NativeTensor[] = [];
    for (const { name, shape } of parameterShapes(spec)) {
      const found = source?.find(prefix + name)?.entry;
      if (source !== undefined && found === undefined)
        throw new Error(`checkpoint ${version} has no ${what} ${name}`);
      if (found !== undefined && found.shape.join() !== shape.join())
        throw new Error(
          `${what} ${name} has shape [${found.shape.join(', ')}]; the model's is [${shape.join(', ')}]`,
        );
      const data =
        source === undefined ? new Float32Array(sizeOf(shape)) : (await source.read(prefix + name)).data;
      const tensor = native.create(data, shape);
      made.push(tensor);
      tensors.push(tensor);
    }
    return tensors;
  };
  try {
    return {
      parameters: await upload(weights, 'weight'),
      first: await upload(moments, 'first moment', 'first.'),
      second: await upload(moments, 'second moment', 'second.'),
    };
  } catch (error) {
    native.delete(...made);
    throw error;
  }
}

/** Parameters with the moments of an optimiser that has not stepped. */
export function freshModel(
  native: Native,
  spec: ModelSpec,
  parameters: readonly NativeTensor[],
): ModelTensors {
  const moments = (): NativeTensor[] =>
    parameterShapes(spec).map(({ shape }) => native.create(new Float32Array(sizeOf(shape)), shape));
  return { parameters, first: moments(), second: moments() };
}

/** @param moments `fresh`: of an optimiser that begins anew. */
export function contentOfModel(
  native: Native,
  head: Pick<CheckpointContent, 'version' | 'spec' | 'steps'>,
  tensors: ModelTensors,
  moments: 'kept' | 'fresh',
): CheckpointContent {
  const shapes = parameterShapes(head.spec);
  const places = new Map(shapes.map(({ name }, i) => [name, i]));
  return {
    ...head,
    hasMoments: true,
    read: (part, name) => {
      const at = places.get(name) ?? -1;
      const tensor = tensors[part === 'weights' ? 'parameters' : part][at];
      if (tensor === undefined) throw new Error(`no tensor for ${name}`);
      return part !== 'weights' && moments === 'fresh'
        ? new Float32Array(sizeOf(shapes[at]?.shape ?? []))
        : (native.read(tensor) as Float32Array);
    },
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
  const moments = (): Map<string, NamedTensor> =>
    new Map(
      parameterShapes(spec).map(({ name, shape }) => [
        name,
        { name, shape, data: new Float32Array(sizeOf(shape)) },
      ]),
    );
  return { weights, first: moments(), second: moments() };
}

export function tensorsOf({ parameters, first, second }: ModelTensors): NativeTensor[] {
  return [...parameters, ...first, ...second];
}

export function deleteModel(native: Native, tensors: ModelTensors): void {
  native.delete(...tensorsOf(tensors));
}

/** Weights and moments. */
export function modelBytes(spec: ModelSpec): number {
  return 12 * parameterCount(spec);
}
