/** A checkpoint's tensors inside TensorFlow, and back, one at a time. */
import {
  openFrozen,
  type Checkpoint,
  type CheckpointContent,
  type FrozenFile,
  type OpenCheckpoint,
} from '../../learner/checkpoint.js';
import type { ModelSpec } from '../port.js';
import type { NamedTensor } from '../safetensors/format.js';
import type { TensorSource } from '../safetensors/reader.js';
import { sizeOf } from '../shape.js';
import { Graph } from './graph.js';
import type { Native, NativeTensor } from './native.js';
import { Operations } from './operations.js';
import { trainedCount, trainedShapes } from './lora.js';
import { initialValues, parameterShapes, type ParameterShape } from './parameters.js';

/** What is trained, each in the order of trainedShapes. */
export interface ModelTensors {
  /**
   * Every parameter of a model of which the adapters alone are trained, in the order of parameterShapes; models share
   * them, and what is done to a model's own tensors leaves them alone. Absent: all are trained.
   */
  readonly frozen?: readonly NativeTensor[];
  readonly parameters: readonly NativeTensor[];
  readonly first: readonly NativeTensor[];
  readonly second: readonly NativeTensor[];
}

/** All that a forward pass takes, in the order of transformer.ts: parameterPlaceholders. */
export function weightsOf({ frozen = [], parameters }: ModelTensors): readonly NativeTensor[] {
  return [...frozen, ...parameters];
}

/** What is trained; frozen parameters come from uploadFrozen. */
export async function uploadModel(native: Native, checkpoint: OpenCheckpoint): Promise<ModelTensors> {
  const { spec, version, weights, moments } = checkpoint;
  const shapes = trainedShapes(spec);
  const made: NativeTensor[] = [];
  const upload = async (
    source: TensorSource | undefined,
    what: string,
    prefix = '',
  ): Promise<NativeTensor[]> => {
    const tensors =
      source === undefined
        ? zeros(native, shapes)
        : await uploadNamed(native, source, shapes, `checkpoint ${version}`, what, prefix);
    made.push(...tensors);
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

/** The weights beneath adapters, in the order of parameterShapes; the caller deletes them. */
export async function uploadFrozen(
  native: Native,
  spec: ModelSpec,
  frozen: FrozenFile,
): Promise<NativeTensor[]> {
  const source = await openFrozen(frozen);
  try {
    return await uploadNamed(native, source, parameterShapes(spec), frozen.file, 'weight');
  } finally {
    await source.close();
  }
}

type Named = Pick<ParameterShape, 'name' | 'shape'>;

/** One at a time. @throws Error naming the tensor that is missing or has another shape; nothing is left then. */
async function uploadNamed(
  native: Native,
  source: TensorSource,
  shapes: readonly Named[],
  where: string,
  what: string,
  prefix = '',
): Promise<NativeTensor[]> {
  const tensors: NativeTensor[] = [];
  try {
    for (const { name, shape } of shapes) {
      const found = source.find(prefix + name)?.entry;
      if (found === undefined) throw new Error(`${where} has no ${what} ${name}`);
      if (found.shape.join() !== shape.join())
        throw new Error(
          `${what} ${name} has shape [${found.shape.join(', ')}]; the model's is [${shape.join(', ')}]`,
        );
      tensors.push(native.create((await source.read(prefix + name)).data, shape));
    }
    return tensors;
  } catch (error) {
    native.delete(...tensors);
    throw error;
  }
}

/** Made by TensorFlow: script memory never holds them. */
function zeros(native: Native, shapes: readonly Named[]): NativeTensor[] {
  const graph = new Graph();
  const o = new Operations(graph);
  const sizes = graph.placeholder('int');
  const program = native.compile(graph, [sizes], [o.fill(sizes, graph.scalar(0))]);
  const made: NativeTensor[] = [];
  try {
    for (const { shape } of shapes) {
      const vector = native.create(Int32Array.from(shape), [shape.length]);
      try {
        made.push(...program.run([vector]));
      } finally {
        native.delete(vector);
      }
    }
    return made;
  } catch (error) {
    native.delete(...made);
    throw error;
  } finally {
    program.dispose();
  }
}

/** Parameters with the moments of an optimiser that has not stepped. */
export function freshModel(
  native: Native,
  spec: ModelSpec,
  weights: Pick<ModelTensors, 'frozen' | 'parameters'>,
): ModelTensors {
  const shapes = trainedShapes(spec);
  return { ...weights, first: zeros(native, shapes), second: zeros(native, shapes) };
}

/** @param moments `fresh`: of an optimiser that begins anew. */
export function contentOfModel(
  native: Native,
  head: Pick<CheckpointContent, 'version' | 'spec' | 'steps' | 'frozen'>,
  tensors: ModelTensors,
  moments: 'kept' | 'fresh',
): CheckpointContent {
  const shapes = trainedShapes(head.spec);
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
        : (native.read(tensor) as Promise<Float32Array>);
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

/** Of a model's own tensors: what is trained, and moments. */
export function modelBytes(spec: ModelSpec): number {
  return 12 * trainedCount(spec);
}
