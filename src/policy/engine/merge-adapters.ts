/**
 * Adapters into the weights beneath them: W + (alpha / rank) A B (Hu et al. 2021, section 4.1), summed in double precision
 * and rounded once.
 */
import type { ModelSpec } from '../port.js';
import { adapterName, loraScale, PLACES, projectionShape } from './lora.js';

type Read = (name: string) => Float32Array | Promise<Float32Array>;

/**
 * @param name a parameter of the model without adapters.
 * @param weights its values; they are not changed.
 * @param adapter values by their names (lora.ts).
 * @returns the same array where it has no adapter.
 */
export async function mergedParameter(
  spec: ModelSpec,
  name: string,
  weights: Float32Array,
  adapter: Read,
): Promise<Float32Array> {
  const { lora } = spec;
  const [, layer, parameter] = /^layer(\d+)\.(\w+)$/.exec(name) ?? [];
  const targets = lora?.targets.filter((target) => PLACES[target].parameter === parameter) ?? [];
  if (lora === undefined || parameter === undefined || targets.length === 0) return weights;
  const { in: rows, parts } = projectionShape(spec, parameter);
  const begins = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part, 0));
  const columns = weights.length / rows;
  const merged = weights.slice();
  for (const target of targets) {
    const { part } = PLACES[target];
    const a = await adapter(adapterName(Number(layer), target, 'loraA'));
    const b = await adapter(adapterName(Number(layer), target, 'loraB'));
    const [begin, width] = [begins[part] as number, parts[part] as number];
    const product = new Float64Array(width);
    for (let row = 0; row < rows; row++) {
      product.fill(0);
      for (let k = 0; k < lora.rank; k++) {
        const factor = a[row * lora.rank + k] as number;
        for (let i = 0; i < width; i++)
          product[i] = (product[i] as number) + factor * (b[k * width + i] as number);
      }
      const at = row * columns + begin;
      for (let i = 0; i < width; i++)
        merged[at + i] = (merged[at + i] as number) + loraScale(lora) * (product[i] as number);
    }
  }
  return merged;
}
