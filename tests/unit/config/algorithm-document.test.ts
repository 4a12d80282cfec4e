/** docs/ALGORITHM.md names switches with their defaults, and files: all must be what it says. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { schemaKeys, valueAt } from '../../../src/config/key-paths.js';
import { MODE_SWITCHES } from '../../../src/config/modes.js';
import { repositoryRoot } from '../../../src/config/paths.js';
import { checkRunConfig } from '../../../src/config/presets.js';
import { runConfigSchema } from '../../../src/config/run.js';

interface Row {
  readonly decision: string;
  readonly switches: string;
  readonly rests: string;
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

/** Keys without a row, and why. */
const NOT_ALGORITHM: Readonly<Record<string, string>> = {
  'policy.kind': 'which family of policies is trained',
  'policy.model': 'the model that is trained',
  'policy.path': 'where its files lie',
  'policy.warmUp': 'stands in for the pre-training of the tiny policy',
  'policy.gradientCheckpointing': 'memory against time',
  'learner.microbatchRows': 'memory; results do not depend on it',
  'learner.compute': 'rounding of matrix products against time',
  'schedule.continueAsNewEvery': "length of a workflow's history",
};

const namedKeys = (): string[] =>
  rows.flatMap(({ switches }) => codes(switches).map((code) => code.split(': ')[0] ?? ''));

let rows: Row[];
beforeAll(async () => {
  const text = await readFile(path.join(repositoryRoot(), 'docs', 'ALGORITHM.md'), 'utf8');
  rows = text.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [, decision = '', , , , switches = '', rests = ''] = cells;
    return cells.length === 8 && switches !== 'switch' && !/^-+$/.test(decision)
      ? [{ decision, switches, rests }]
      : [];
  });
});

/** Nothing but what has no default: what is read from it is the schema's. */
const defaults = checkRunConfig(
  {
    policy: { kind: 'huggingface', model: 'owner/name' },
    propose: { batch: 1 },
    solve: { batch: 1 },
    learnability: {},
    buffer: {},
    reward: {},
    learner: { optimiser: { learningRate: 1 } },
    evaluation: { perBucket: 1, every: 1 },
    schedule: { iterations: 1 },
  },
  'defaults',
).config;

describe('docs/ALGORITHM.md', () => {
  it('has its decisions, the nineteen quirks among them', () => {
    expect(rows.length).toBeGreaterThanOrEqual(50);
    expect(rows.filter(({ decision }) => decision.startsWith('Q:')).length).toBeGreaterThanOrEqual(19);
  });

  it('names switches of the schema, with their defaults', () => {
    const known = schemaKeys(runConfigSchema);
    for (const { decision, switches } of rows) {
      const named = codes(switches);
      if (named.length === 0) expect(switches, decision).toBe('none');
      for (const code of named) {
        const [key = '', value] = code.split(': ');
        expect(known, decision).toContain(key);
        if (value !== undefined)
          expect({ [key]: parse(value) as unknown }).toEqual({ [key]: valueAt(defaults, key) });
      }
    }
  });

  it('names every switch of the modes', () => {
    for (const key of Object.keys(MODE_SWITCHES.paper)) expect(namedKeys()).toContain(key);
  });

  it('has a row for every key of the configuration, but for those that decide nothing of the algorithm', () => {
    const known = schemaKeys(runConfigSchema);
    const leaves = known.filter((key) => !known.some((other) => other.startsWith(`${key}.`)));
    const named = new Set(namedKeys());
    const told = (key: string): boolean =>
      named.has(key) || named.has(key.slice(0, Math.max(0, key.lastIndexOf('.'))));
    const elsewhere = (key: string): boolean =>
      Object.keys(NOT_ALGORITHM).some((other) => key === other || key.startsWith(`${other}.`));
    expect(leaves.filter((key) => !told(key) && !elsewhere(key))).toEqual([]);
    expect(Object.keys(NOT_ALGORITHM).filter((key) => !known.includes(key) || told(key))).toEqual([]);
  });

  it('rests on files that exist', () => {
    for (const { decision, rests } of rows) {
      const files = codes(rests);
      expect(files.length, decision).toBeGreaterThan(0);
      for (const file of files) expect(existsSync(path.join(repositoryRoot(), file)), file).toBe(true);
    }
  });

  it('says of mode paper what the schema has by default', () => {
    for (const [key, value] of Object.entries(MODE_SWITCHES.paper))
      expect({ [key]: valueAt(defaults, key) }).toEqual({ [key]: value });
  });
});
