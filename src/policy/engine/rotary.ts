/**
 * Rotary positions (Su et al. 2021): a head's pairs (x_i, x_{i + w/2}) turn by position * frequency_i, w the head's width.
 *
 *   frequency_i = base^(-2i/w),  i = 0 .. w/2 - 1
 *
 * With Llama 3's scaling (port.ts, RotaryScaling), wavelength l = 2 pi / frequency, context c before it was stretched:
 *
 *   l < c / high: frequency;   l > c / low: frequency / factor;
 *   between: (1 - s) frequency / factor + s frequency,  s = (c / l - low) / (high - low)
 */
import type { ModelSpec } from '../port.js';
import type { Rotation } from './differentiable.js';
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';
import { attentionShape } from './parameters.js';

/** By pair: [headWidth / 2] */
export function rotaryFrequencies(spec: ModelSpec): number[] {
  const { headWidth: w } = attentionShape(spec);
  const base = spec.rotaryBase ?? 10_000;
  const { rotaryScaling: scaling } = spec;
  return Array.from({ length: w / 2 }, (_, i) => {
    const frequency = base ** ((-2 * i) / w);
    if (scaling === undefined) return frequency;
    const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling;
    const turns = (originalContext * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const share = (turns - low) / (high - low);
    return ((1 - share) * frequency) / factor + share * frequency;
  });
}

/** cos and sin of each position's angles, each pair's twice, the first sine negative: [positions, headWidth]. */
function rotaryTables(spec: ModelSpec, positions: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = rotaryFrequencies(spec);
  const half = frequencies.length;
  const w = 2 * half;
  const cos = new Float32Array(positions * w);
  const sin = new Float32Array(positions * w);
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < w; i++) {
      const angle = p * (frequencies[i % half] as number);
      cos[p * w + i] = Math.cos(angle);
      sin[p * w + i] = i < half ? -Math.sin(angle) : Math.sin(angle);
    }
  return { cos, sin };
}

/**
 * The rotation at given positions, [m] int: cos and sin are [m, 1, headWidth]. Constants are made once, here, so that
 * what is returned may be called inside a loop.
 */
export function rotationOf(o: Operations, spec: ModelSpec): (positions: Tensor) => Rotation {
  const { headWidth } = attentionShape(spec);
  if (spec.rotaryInGraph === true) {
    const frequencies = rotaryFrequencies(spec);
    // sin(-a) = -sin(a), cos(-a) = cos(a).
    const signed = [...frequencies.map((frequency) => -frequency), ...frequencies];
    const row = o.graph.constant(Float32Array.from(signed), [1, 1, headWidth]);
    return (positions) => {
      const angles = o.mul(o.reshape(o.cast(positions, 'float'), [-1, 1, 1]), row);
      return { headWidth, cos: o.cos(angles), sin: o.sin(angles) };
    };
  }
  const tables = rotaryTables(spec, spec.context);
  const [cos, sin] = [tables.cos, tables.sin].map((values) =>
    o.graph.constant(values, [spec.context, headWidth]),
  ) as [Tensor, Tensor];
  const at = (table: Tensor, positions: Tensor): Tensor =>
    o.reshape(o.gather(table, positions), [-1, 1, headWidth]);
  return (positions) => ({ headWidth, cos: at(cos, positions), sin: at(sin, positions) });
}
