/** A Hugging Face folder's weights: checked by their headers, then into TensorFlow and out of it, tensor by tensor. */
import type { Native, NativeTensor } from '../engine/native.js';
import type { ModelSpec } from '../port.js';
import type { Dtype } from '../safetensors/dtypes.js';
import { ModelFileError } from '../safetensors/format.js';
import type { TensorSource } from '../safetensors/reader.js';
import { writeSafetensorsFolder, type FolderOptions, type WrittenFile } from '../safetensors/writer.js';
import { cutSources, joinSources, weightMappings, type WeightMapping } from './names.js';

export const OUTPUT_MATRIX = 'lm_head.weight';

/** In files of any age and of no account: recomputed, or the embedding once more. */
const isRedundant = (name: string, spec: ModelSpec): boolean =>
  name.endsWith('.rotary_emb.inv_freq') || (name === OUTPUT_MATRIX && spec.untied !== true);

/**
 * Everything that can be said of the weights without reading them: each that the architecture has is there in its shape,
 * and there are no others.
 * @throws ModelFileError naming the file, the tensor, what stands there and what is accepted.
 */
export function checkWeights(spec: ModelSpec, source: TensorSource, folder: string): void {
  const known = new Set<string>();
  for (const { sources } of weightMappings(spec))
    for (const { name, shape } of sources) {
      known.add(name);
      const found = source.find(name);
      if (found === undefined)
        throw new ModelFileError(
          `${folder} has no tensor ${name}; the model needs it, of shape [${shape.join(', ')}]`,
        );
      if (found.entry.shape.join() !== shape.join())
        throw new ModelFileError(
          `${found.file}: tensor ${name} has shape [${found.entry.shape.join(', ')}]; accepted is [${shape.join(', ')}]`,
        );
    }
  for (const name of source.names())
    if (!known.has(name) && !isRedundant(name, spec))
      throw new ModelFileError(
        `${source.find(name)?.file ?? folder}: tensor ${name} is none of this architecture's; accepted are those that config.json asks for`,
      );
}

/** The types that the tensors are held in, in the order of their first use. */
export function weightTypes(spec: ModelSpec, source: TensorSource): Dtype[] {
  const types = weightMappings(spec).flatMap(({ sources }) =>
    sources.flatMap(({ name }) => source.find(name)?.entry.dtype ?? []),
  );
  return [...new Set(types)];
}

/** The files that hold the tensors, in the order of their first use. */
export function weightFiles(spec: ModelSpec, source: TensorSource): string[] {
  const files = weightMappings(spec).flatMap(({ sources }) =>
    sources.flatMap(({ name }) => source.find(name)?.file ?? []),
  );
  return [...new Set(files)];
}

/** @throws ModelFileError naming file and tensor where a value is not finite. */
export async function readWeight(source: TensorSource, name: string): Promise<Float32Array> {
  const { data } = await source.read(name);
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw new ModelFileError(
        `${source.find(name)?.file ?? ''}: tensor ${name} holds ${data[i] ?? ''} at ${i}; accepted are finite numbers`,
      );
  return data;
}

/** Parameters in the order of parameterShapes; the caller deletes them. Script memory holds one at a time. */
export async function uploadWeights(
  native: Native,
  spec: ModelSpec,
  source: TensorSource,
): Promise<NativeTensor[]> {
  const parameters: NativeTensor[] = [];
  try {
    for (const mapping of weightMappings(spec)) {
      const data = await joinSources(mapping, (name) => readWeight(source, name));
      parameters.push(native.create(data, mapping.parameter.shape));
    }
  } catch (error) {
    native.delete(...parameters);
    throw error;
  }
  return parameters;
}

/** Parameters into model.safetensors or shards, under their Hugging Face names. @param read a parameter's values, by our name. */
export async function writeParameters(
  spec: ModelSpec,
  read: (parameter: string) => Float32Array | Promise<Float32Array>,
  folder: string,
  options: Pick<FolderOptions, 'dtype' | 'shardBytes'> = {},
): Promise<WrittenFile[]> {
  const mappings = weightMappings(spec);
  const byName = new Map<string, WeightMapping>(
    mappings.flatMap((mapping) => mapping.sources.map(({ name }) => [name, mapping] as const)),
  );
  // The parts of a fused parameter are asked for one after the other: it is read once.
  let held: { mapping: WeightMapping; parts: ReadonlyMap<string, Float32Array> } | undefined;
  const data = async (name: string): Promise<Float32Array> => {
    const mapping = byName.get(name) as WeightMapping;
    if (held?.mapping !== mapping) {
      held = undefined;
      const values = await read(mapping.parameter.name);
      const wrong = values.findIndex((value) => !Number.isFinite(value));
      if (wrong >= 0)
        throw new RangeError(
          `${mapping.parameter.name} would be written with ${values[wrong] ?? ''} at ${wrong}; accepted are finite numbers. Nothing is written; a smaller learning rate may help`,
        );
      held = { mapping, parts: new Map(cutSources(mapping, values).map((part) => [part.name, part.data])) };
    }
    return held.parts.get(name) as Float32Array;
  };
  return writeSafetensorsFolder(
    folder,
    mappings.flatMap(({ sources }) => sources),
    data,
    // Transformers reads no file that does not say so.
    { ...options, metadata: { format: 'pt' } },
  );
}
