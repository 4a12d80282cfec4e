/** A short fuzz run (bench/fuzz; `npm run bench -- fuzz` is the long one): no hang, no lost worker, no false verdict. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fuzzCase, type Material } from '../../bench/fuzz/cases.js';
import { materialFrom } from '../../bench/fuzz/material.js';
import { fuzz } from '../../bench/fuzz/run.js';
import { checkIsolation } from '../../src/sandbox/index.js';
import { ATTACKS } from '../unit/sandbox/attacks.corpus.js';
import { CHEATS } from '../unit/sandbox/cheats.corpus.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const SHARED = new URL('../../../shared/attacks.json', import.meta.url);
const shared: readonly Material[] = existsSync(SHARED)
  ? (JSON.parse(readFileSync(SHARED, 'utf8')) as Material[])
  : [];
if (shared.length === 0) console.warn('the shared attack corpus is not beside this checkout: not mutated');

describe.skipIf(!isolation.ok)('fuzzing', () => {
  it('finds nothing in about half a minute of cases', async () => {
    const material = [...materialFrom({ ATTACKS, CHEATS }), ...shared];
    const report = await fuzz({ seed: 7, cases: 512, material });
    expect(report.findings).toEqual([]);
    expect(report.cases.grammar + report.cases.mutant + report.cases.bytes).toBe(512);
    // It must have looked at something: values that plain CPython confirmed, and programs that did not end well.
    expect(report.plain).toBeGreaterThan(100);
    expect(Object.keys(report.outcomes)).toEqual(
      expect.arrayContaining(['value', 'raised', 'refused', 'timeout', 'not-literal']),
    );
  });

  it('makes the same case from the same numbers', () => {
    const material = materialFrom({ ATTACKS, CHEATS });
    for (let number = 0; number < 50; number++)
      expect(fuzzCase(3, number, material)).toEqual(fuzzCase(3, number, material));
    expect(fuzzCase(3, 1, material)).not.toEqual(fuzzCase(4, 1, material));
  });
});
