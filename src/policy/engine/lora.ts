/**
 * Low-rank adapters: what they are called, their shapes, how they begin (Hu et al. 2021, arXiv 2106.09685, equation 3):
 *
 *   y = x W + (alpha / rank) (x A) B,   A [in, rank], B [rank, out]
 *
 * W and everything else of the model is frozen. As PEFT initialises them, A is Kaiming-uniform with a = sqrt(5) (He et al.
 * 2015), which is uniform in [-1 / sqrt(in), 1 / sqrt(in)), and B is 0: the model says at first what it said without.
 *
 * Fused projections have an adapter a part: what PEFT names `q_proj` is the first part of `qkv`.
 */
import { Random } from '../../random.js';
import { ADAPTABLE, type Adaptable, type LoraSpec, type ModelSpec } from '../port.js';
import { sizeOf } from '../shape.js';
import { attentionShape, parameterShapes, type ParameterShape } from './parameters.js';

interface Place {
  /** The parameter of a layer that holds the map, and which of its parts it is. */
  readonly parameter: string;
  readonly part: number;
}

export const PLACES: Readonly<Record<Adaptable, Place>> = {
  q_proj: { parameter: 'qkv', part: 0 },
  k_proj: { parameter: 'qkv', part: 1 },
  v_proj: { parameter: 'qkv', part: 2 },
  o_proj: { parameter: 'out', part: 0 },
  gate_proj: { parameter: 'gateUp', part: 0 },
  up_proj: { parameter: 'gateUp', part: 1 },
  down_proj: { parameter: 'down', part: 0 },
};

export type AdapterHalf = 'loraA' | 'loraB';

export const adapterName = (layer: number, target: Adaptable, half: AdapterHalf): string =>
  `layer${layer}.${target}.${half}`;

export const loraScale = ({ rank, alpha }: LoraSpec): number => alpha / rank;

/** Rows, and columns by part, of a parameter that can have adapters. */
export function projectionShape(
  spec: ModelSpec,
  parameter: string,
): { in: number; parts: readonly number[] } {
  const { parts } = attentionShape(spec);
  const { width, hidden } = spec;
  switch (parameter) {
    case 'qkv':
      return { in: width, parts };
    case 'out':
      return { in: parts[0], parts: [width] };
    case 'gateUp':
      return { in: width, parts: [hidden, hidden] };
    case 'down':
      return { in: hidden, parts: [width] };
    default:
      throw new RangeError(`parameter is ${parameter}; accepted are qkv, out, gateUp, down`);
  }
}

export interface AdapterShape {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly layer: number;
  readonly target: Adaptable;
  readonly half: AdapterHalf;
}

/** Of all adapters, layer by layer; none without `lora`. */
export function adapterShapes(spec: ModelSpec): AdapterShape[] {
  const { lora } = spec;
  if (lora === undefined) return [];
  return Array.from({ length: spec.layers }, (_, layer) =>
    lora.targets.flatMap((target): AdapterShape[] => {
      const { parameter, part } = PLACES[target];
      const { in: rows, parts } = projectionShape(spec, parameter);
      const of = (half: AdapterHalf, shape: readonly [number, number]): AdapterShape => ({
        name: adapterName(layer, target, half),
        ...{ shape, layer, target, half },
      });
      return [of('loraA', [rows, lora.rank]), of('loraB', [lora.rank, parts[part] as number])];
    }),
  ).flat();
}

/** What the optimiser steps: the adapters, or every parameter. */
export function trainedShapes(spec: ModelSpec): readonly Pick<ParameterShape, 'name' | 'shape'>[] {
  return spec.lora === undefined ? parameterShapes(spec) : adapterShapes(spec);
}

export const trainedCount = (spec: ModelSpec): number =>
  trainedShapes(spec).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** In the order of adapterShapes. */
export function initialAdapters(spec: ModelSpec, seed: number): Map<string, Float32Array> {
  const random = new Random(seed);
  return new Map(
    adapterShapes(spec).map(({ name, shape, half }) => {
      const values = new Float32Array(sizeOf(shape));
      if (half === 'loraA') {
        const bound = 1 / Math.sqrt(shape[0]);
        for (let i = 0; i < values.length; i++) values[i] = bound * (2 * random.uniform() - 1);
      }
      return [name, values];
    }),
  );
}

/** @throws RangeError naming what is not accepted. */
export function checkLora({ rank, alpha, targets }: LoraSpec): void {
  if (!Number.isInteger(rank) || rank < 1)
    throw new RangeError(`lora.rank is ${rank}; accepted are integers from 1`);
  if (!(Number.isFinite(alpha) && alpha > 0))
    throw new RangeError(`lora.alpha is ${alpha}; accepted are numbers above 0`);
  const ordered = ADAPTABLE.filter((name) => targets.includes(name));
  if (targets.length === 0 || ordered.join() !== targets.join())
    throw new RangeError(
      `lora.targets is [${targets.join(', ')}]; accepted are one or more of ${ADAPTABLE.join(', ')}, each once and in this order`,
    );
}
