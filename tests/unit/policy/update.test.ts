import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryNeededError, requireMemory } from '../../../src/policy/engine/memory.js';
import { leastStepBytes, requireStepMemory } from '../../../src/policy/engine/step-memory.js';
import { blockPlan } from '../../../src/policy/engine/update-in-place.js';
import { groupsOf } from '../../../src/policy/engine/update.js';
import type { ModelSpec } from '../../../src/policy/port.js';

describe('groups of parameters', () => {
  it('are consecutive, cover all, and hold no more than they may unless one parameter alone does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (sizes, bytes) => {
          const groups = groupsOf(sizes, bytes);
          expect(
            groups.flatMap(([begin, end]) => Array.from({ length: end - begin }, (_, i) => begin + i)),
          ).toEqual(sizes.map((_, i) => i));
          for (const [begin, end] of groups) {
            const sum = sizes.slice(begin, end).reduce((a, b) => a + b, 0);
            expect(end - begin === 1 || sum <= bytes).toBe(true);
            // Greedy: the next one would not have fitted.
            if (end < sizes.length) expect(sum + (sizes[end] ?? 0)).toBeGreaterThan(bytes);
          }
        },
      ),
    );
  });
});

describe('blocks of a parameter', () => {
  it('hold no more than they may unless one row alone does, of units that divide the rows', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 5000 }),
        (rows, rowBytes, blockBytes) => {
          const [units, block] = blockPlan(rows, rows * rowBytes, blockBytes);
          expect(rows % units).toBe(0);
          expect(block).toBeGreaterThanOrEqual(1);
          const blockRows = (rows / units) * block;
          expect(blockRows === 1 || blockRows * rowBytes <= blockBytes).toBe(true);
          // No more calls than about twice what the largest blocks would need.
          const most = Math.min(rows, Math.max(1, Math.floor(blockBytes / rowBytes)));
          expect(2 * blockRows).toBeGreaterThan(most);
        },
      ),
    );
  });
});

describe('memory', () => {
  it('that is not there is named before it is asked for', () => {
    expect(() => requireMemory('the weights of DIR', 3 * 2 ** 30, 2 ** 30)).toThrow(MemoryNeededError);
    expect(() => requireMemory('the weights of DIR', 3 * 2 ** 30, 2 ** 30)).toThrow(
      /the weights of DIR need 3\.00 GiB of memory; 1\.00 GiB is available/,
    );
    expect(() => requireMemory('x', 2 ** 30, 2 ** 30)).not.toThrow();
  });

  it('of a step is named with what would need less', () => {
    // SmolLM2-135M.
    const spec: ModelSpec = {
      ...{ vocabulary: 49_152, layers: 30, width: 576, heads: 9, keyValueHeads: 3, hidden: 1536 },
      ...{ context: 8192, padToken: 2, endToken: 2, normEpsilon: 1e-5 },
    };
    const weights = 4 * 134_515_008;
    const row = { rows: 1, length: 512, targets: 256 };
    // Less than what a step of 2 rows of 512 tokens was measured to take (3,688 MiB, recomputed).
    const least = leastStepBytes(spec, { rows: 2, length: 512, targets: 512 }, true);
    expect(least).toBe(4 * weights);
    expect(least).toBeLessThan(3688 * 2 ** 20);
    expect(leastStepBytes(spec, row, false)).toBe(4 * weights);
    const large = { rows: 16, length: 8191, targets: 16 * 4096 };
    expect(leastStepBytes(spec, large, true)).toBe(
      3 * weights + 4 * (large.targets * 49_152 + 30 * 16 * 8191 * 576),
    );
    expect(leastStepBytes(spec, large, false)).toBe(
      3 * weights + 4 * (large.targets * 49_152 + 30 * 16 * 8191 * (4 * 576 + 3 * 1536 + 15 * 64)),
    );
    expect(() => requireStepMemory(spec, large, false, 8 * 2 ** 30)).toThrow(
      /^an optimiser step with 16 rows of up to 8191 tokens at once need \d+\.\d\d GiB of memory; 8\.00 GiB is available\. Accepted is fewer rows at once \(learner\.microbatchRows, --microbatch-rows\), activations computed again/,
    );
    expect(() => requireStepMemory(spec, row, true, 8 * 2 ** 30)).not.toThrow();
  });
});
