/** Adapters' names and shapes, how they begin, and what merging them gives. */
import { describe, expect, it } from 'vitest';
import { adapterShapes, initialAdapters, trainedCount } from '../../../src/policy/engine/lora.js';
import { mergedParameter } from '../../../src/policy/engine/merge-adapters.js';
import { parameterCount } from '../../../src/policy/engine/parameters.js';
import { ADAPTABLE, type ModelSpec } from '../../../src/policy/port.js';

const PLAIN: ModelSpec = {
  ...{ vocabulary: 10, layers: 2, width: 12, heads: 3, keyValueHeads: 1, headWidth: 6, hidden: 20 },
  ...{ context: 16, padToken: 0 },
};
const spec: ModelSpec = { ...PLAIN, lora: { rank: 2, alpha: 5, targets: ADAPTABLE } };

describe('adapters', () => {
  it('have the shapes of the linear maps that they stand beside', () => {
    const ofLayer = adapterShapes(spec).filter(({ layer }) => layer === 1);
    expect(Object.fromEntries(ofLayer.map(({ name, shape }) => [name, shape]))).toEqual({
      'layer1.q_proj.loraA': [12, 2],
      'layer1.q_proj.loraB': [2, 18],
      'layer1.k_proj.loraA': [12, 2],
      'layer1.k_proj.loraB': [2, 6],
      'layer1.v_proj.loraA': [12, 2],
      'layer1.v_proj.loraB': [2, 6],
      'layer1.o_proj.loraA': [18, 2],
      'layer1.o_proj.loraB': [2, 12],
      'layer1.gate_proj.loraA': [12, 2],
      'layer1.gate_proj.loraB': [2, 20],
      'layer1.up_proj.loraA': [12, 2],
      'layer1.up_proj.loraB': [2, 20],
      'layer1.down_proj.loraA': [20, 2],
      'layer1.down_proj.loraB': [2, 12],
    });
    expect(trainedCount(spec)).toBe(
      2 * 2 * (12 + 18 + 12 + 6 + 12 + 6 + 18 + 12 + 12 + 20 + 12 + 20 + 20 + 12),
    );
    expect(trainedCount(PLAIN)).toBe(parameterCount(PLAIN));
  });

  it('begin as PEFT begins them: A uniform within 1 / sqrt(in), B 0, the same from the same seed', () => {
    const wide: ModelSpec = { ...spec, width: 256, lora: { rank: 32, alpha: 32, targets: ['q_proj'] } };
    const values = initialAdapters(wide, 3);
    const a = values.get('layer0.q_proj.loraA') ?? new Float32Array();
    expect(values.get('layer0.q_proj.loraB')?.every((value) => value === 0)).toBe(true);
    const bound = 1 / 16;
    const sorted = a.toSorted();
    expect(sorted[0]).toBeGreaterThanOrEqual(-bound);
    expect(sorted.at(-1)).toBeLessThanOrEqual(bound);
    // 8,192 draws: quantiles of a uniform variable have a standard error below 0.0056 of its width.
    for (const share of [0.1, 0.25, 0.5, 0.75, 0.9]) {
      const quantile = ((sorted[Math.floor(share * sorted.length)] ?? 0) + bound) / (2 * bound);
      expect(Math.abs(quantile - share)).toBeLessThan(0.03);
    }
    expect(initialAdapters(wide, 3)).toEqual(values);
    expect(initialAdapters(wide, 4).get('layer0.q_proj.loraA')).not.toEqual(a);
    expect(values.get('layer1.q_proj.loraA')).not.toEqual(a);
  });

  it('are merged into their own columns: W + (alpha / rank) A B', async () => {
    const some: ModelSpec = { ...spec, lora: { rank: 2, alpha: 5, targets: ['k_proj', 'down_proj'] } };
    const a = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
    const b = Float32Array.from({ length: 12 }, (_, i) => Math.cos(i));
    const weights = Float32Array.from({ length: 12 * 30 }, (_, i) => i / 100);
    const read = (name: string): Float32Array => {
      expect(name).toMatch(/^layer1\.k_proj\.lora[AB]$/);
      return name.endsWith('A') ? a : b;
    };
    const merged = await mergedParameter(some, 'layer1.qkv', weights, read);
    for (let row = 0; row < 12; row++)
      for (let column = 0; column < 30; column++) {
        const [i, at] = [column - 18, row * 30 + column];
        const product =
          i >= 0 && i < 6 ? (a[2 * row] ?? 0) * (b[i] ?? 0) + (a[2 * row + 1] ?? 0) * (b[6 + i] ?? 0) : 0;
        expect(merged[at]).toBeCloseTo((weights[at] ?? 0) + 2.5 * product, 5);
      }
    // What has none comes back as it is.
    expect(await mergedParameter(some, 'layer1.out', weights, read)).toBe(weights);
    expect(await mergedParameter(PLAIN, 'layer1.qkv', weights, read)).toBe(weights);
    expect(await mergedParameter(some, 'embedding', weights, read)).toBe(weights);
  });
});
