import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idOf, seedOf, type Coordinate } from '../../../src/coordinates.js';

const coordinate = (): fc.Arbitrary<Coordinate> =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    // What an encoding would use itself: separators, digits, type letters.
    fc.string({ unit: fc.constantFrom(':', ';', 's', 'n', '0', '1', '2'), maxLength: 6 }),
    fc.integer({ min: -3, max: 30 }),
    fc.maxSafeInteger(),
  );
const coordinates = (): fc.Arbitrary<Coordinate[]> => fc.array(coordinate(), { maxLength: 5 });

const same = (a: readonly Coordinate[], b: readonly Coordinate[]): boolean =>
  a.length === b.length && a.every((part, i) => part === b[i]);

describe('ids and seeds from coordinates', () => {
  it('are the same for the same coordinates', () => {
    fc.assert(
      fc.property(coordinates(), (parts) => {
        expect(idOf(...parts)).toBe(idOf(...parts));
        expect(seedOf(...parts)).toBe(seedOf(...parts));
      }),
    );
  });

  it('differ for different coordinates, whatever the parts hold', () => {
    fc.assert(
      fc.property(coordinates(), coordinates(), (a, b) => {
        fc.pre(!same(a, b));
        expect(idOf(...a)).not.toBe(idOf(...b));
        expect(seedOf(...a)).not.toBe(seedOf(...b));
      }),
      { numRuns: 2_000 },
    );
  });

  it('differ when one list is cut into other parts', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
        fc.nat(11),
        fc.nat(11),
        (text, i, j) => {
          const [a, b] = [i % text.length, j % text.length];
          fc.pre(a !== b);
          const cut = (at: number): string[] => [text.slice(0, at), text.slice(at)];
          expect(idOf(...cut(a))).not.toBe(idOf(...cut(b)));
          expect(idOf(text)).not.toBe(idOf(...cut(a)));
        },
      ),
    );
  });

  it('tells a number from its text', () => {
    expect(idOf(1)).not.toBe(idOf('1'));
    expect(idOf('run', 1, 'a')).not.toBe(idOf('run', '1', 'a'));
  });

  it('an id is 32 hexadecimal characters, a seed a safe integer that fits a long', () => {
    fc.assert(
      fc.property(coordinates(), (parts) => {
        expect(idOf(...parts)).toMatch(/^[0-9a-f]{32}$/);
        const seed = seedOf(...parts);
        expect(Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 48).toBe(true);
      }),
    );
  });

  it('ids are what they were when runs of before were written', () => {
    expect(idOf('t1', 1, 'ProposalSampled', 'deduction', 0)).toBe('fa06dbbd60e9aa3f35049d451d88ea31');
    expect(seedOf('t1', 1, 'propose', 'deduction', 0)).toBe(272525987511196);
  });
});
