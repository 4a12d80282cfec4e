import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryNeededError, requireMemory } from '../../../src/policy/engine/memory.js';
import { blockPlan } from '../../../src/policy/engine/update-in-place.js';
import { groupsOf } from '../../../src/policy/engine/update.js';

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
});
