/**
 * An adapter as PEFT (0.21) lays it out: adapter_config.json, and adapter_model.safetensors with
 *
 *   base_model.model.model.layers.N.{self_attn,mlp}.TARGET.lora_A.weight   [rank, in]
 *   base_model.model.model.layers.N.{self_attn,mlp}.TARGET.lora_B.weight   [out, rank]
 *
 * which are our loraA and loraB (engine/lora.ts) transposed. What would change the numbers and is not built is refused;
 * `lora_dropout` is not looked at: it acts while PEFT trains, and nothing here trains with dropout.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { adapterShapes, checkLora, PLACES, type AdapterShape } from '../engine/lora.js';
import type { Native, NativeTensor } from '../engine/native.js';
import { ADAPTABLE, type Adaptable, type LoraSpec, type ModelSpec } from '../port.js';
import { ModelFileError } from '../safetensors/format.js';
import { openSafetensorsFile, type TensorSource } from '../safetensors/reader.js';
import { writeSafetensorsFile, type FolderOptions } from '../safetensors/writer.js';
import { Fields, readJson } from './json-fields.js';
import { transposed } from './names.js';
import { readWeight } from './weights.js';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

function theirName({ layer, target, half }: AdapterShape): string {
  const block = ['qkv', 'out'].includes(PLACES[target].parameter) ? 'self_attn' : 'mlp';
  return `base_model.model.model.layers.${layer}.${block}.${target}.lora_${half === 'loraA' ? 'A' : 'B'}.weight`;
}

/** Ours is [rows, columns]; theirs the other way round. */
const theirShape = ({ shape: [rows, columns] }: AdapterShape): [number, number] => [columns, rows];

/** What must not be there, or must say that it is off. */
const REFUSED = [
  'alpha_pattern',
  'rank_pattern',
  'layers_to_transform',
  'layer_replication',
  'modules_to_save',
  'exclude_modules',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'use_dora',
  'use_rslora',
  'use_qalora',
  'use_bdlora',
  'lora_bias',
  'fan_in_fan_out',
  'arrow_config',
  'kasa_config',
  'monteclora_config',
  'velora_config',
] as const;

const isOff = (value: unknown): boolean =>
  value === undefined ||
  value === false ||
  (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

export interface PeftAdapter {
  readonly folder: string;
  readonly lora: LoraSpec;
  /** The caller closes it. */
  readonly source: TensorSource;
}

/**
 * Opens and checks a folder against the model that it is for; nothing is read but headers.
 * @throws ModelFileError naming the file, what stands there and what is accepted.
 */
export async function openPeftAdapter(folder: string, spec: ModelSpec): Promise<PeftAdapter> {
  const file = path.join(folder, ADAPTER_CONFIG);
  const lora = loraOf(new Fields(file, await readJson(file)), file);
  const source = await openSafetensorsFile(path.join(folder, ADAPTER_WEIGHTS));
  try {
    checkTensors({ ...spec, lora }, source, folder);
  } catch (error) {
    await source.close();
    throw error;
  }
  return { folder, lora, source };
}

function loraOf(fields: Fields, file: string): LoraSpec {
  fields.oneOf('peft_type', ['LORA']);
  fields.oneOf('bias', ['none'], 'none');
  for (const name of REFUSED) if (!isOff(fields.get(name))) fields.fail(name, 'is none: it is not built');
  const named = fields.get('target_modules');
  if (
    !Array.isArray(named) ||
    named.length === 0 ||
    !named.every((name): name is Adaptable => ADAPTABLE.includes(name as Adaptable))
  )
    fields.fail('target_modules', `are lists of ${ADAPTABLE.join(', ')}`);
  const lora = {
    rank: fields.count('r'),
    alpha: fields.positive('lora_alpha'),
    targets: ADAPTABLE.filter((name) => named.includes(name)),
  };
  try {
    checkLora(lora);
  } catch (error) {
    throw new ModelFileError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  return lora;
}

function checkTensors(spec: ModelSpec, source: TensorSource, folder: string): void {
  const known = new Set<string>();
  for (const adapter of adapterShapes(spec)) {
    const name = theirName(adapter);
    known.add(name);
    const accepted = theirShape(adapter);
    const found = source.find(name);
    if (found === undefined)
      throw new ModelFileError(
        `${folder} has no tensor ${name}; its configuration and the model need it, of shape [${accepted.join(', ')}]`,
      );
    if (found.entry.shape.join() !== accepted.join())
      throw new ModelFileError(
        `${found.file}: tensor ${name} has shape [${found.entry.shape.join(', ')}]; accepted is [${accepted.join(', ')}]`,
      );
  }
  for (const name of source.names())
    if (!known.has(name))
      throw new ModelFileError(
        `${source.find(name)?.file ?? folder}: tensor ${name} is none of this adapter's; accepted are those that ${ADAPTER_CONFIG} and the model ask for`,
      );
}

/** In the order of adapterShapes; the caller deletes them. */
export async function uploadAdapter(
  native: Native,
  spec: ModelSpec,
  source: TensorSource,
): Promise<NativeTensor[]> {
  const tensors: NativeTensor[] = [];
  try {
    for (const adapter of adapterShapes(spec)) {
      const [rows, columns] = theirShape(adapter);
      const values = await readWeight(source, theirName(adapter));
      tensors.push(native.create(transposed(values, rows, columns), adapter.shape));
    }
    return tensors;
  } catch (error) {
    native.delete(...tensors);
    throw error;
  }
}

/**
 * Into a folder that exists, or is made.
 * @param base the model that the adapter is for, as PEFT's `base_model_name_or_path`; null where it has no name.
 * @param read an adapter's values, by our name.
 */
export async function writePeftAdapter(
  spec: ModelSpec,
  base: string | null,
  read: (name: string) => Float32Array | Promise<Float32Array>,
  folder: string,
  { dtype = 'F32' }: Pick<FolderOptions, 'dtype'> = {},
): Promise<void> {
  const { lora } = spec;
  if (lora === undefined) throw new RangeError('the model has no adapters; accepted is one that has');
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, ADAPTER_CONFIG),
    `${JSON.stringify(
      {
        peft_type: 'LORA',
        task_type: 'CAUSAL_LM',
        base_model_name_or_path: base,
        r: lora.rank,
        lora_alpha: lora.alpha,
        lora_dropout: 0,
        target_modules: lora.targets,
        bias: 'none',
        fan_in_fan_out: false,
        init_lora_weights: true,
        inference_mode: true,
      },
      null,
      2,
    )}\n`,
    { flush: true },
  );
  const byTheirName = new Map(adapterShapes(spec).map((adapter) => [theirName(adapter), adapter]));
  await writeSafetensorsFile(
    path.join(folder, ADAPTER_WEIGHTS),
    [...byTheirName].map(([name, adapter]) => ({ name, shape: theirShape(adapter) })),
    async (name) => {
      const { name: ours, shape } = byTheirName.get(name) as AdapterShape;
      return transposed(await read(ours), ...shape);
    },
    { dtype, metadata: { format: 'pt' } },
  );
}
