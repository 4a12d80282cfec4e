/** Stored pairs give the stored output or a named reason: on rows of each kind, and on published files where they are. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStored } from '../../bench/seeds/files.js';
import { rerun, type PairResult, type StoredProgram } from '../../bench/seeds/rerun.js';
import { judgeSeedRows } from '../../src/activities/verify-seeds.js';
import {
  checkIsolation,
  createSandbox,
  PROPOSAL_REASONS,
  type LocalSandbox,
} from '../../src/sandbox/index.js';
import { readSeedFile } from '../../src/tasks/seed-files.js';
import { parseSeedRows } from '../../src/tasks/seed-rows.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const DATA = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
if (!existsSync(DATA)) console.warn(`published files skipped: there is no ${DATA}`);

const ORIGIN = { runId: 'seeds', iteration: 0, policyVersion: null, codeVersion: 'test' };
const STORED_REASONS = ['stored-output-empty', 'stored-output-truncated', 'stored-output-differs'];

const row = (code: string, input: string, output: string): StoredProgram => ({
  line: 1,
  code,
  inputs: [input],
  outputs: [output],
});

function counts(results: readonly PairResult[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { class: name } of results) found[name] = (found[name] ?? 0) + 1;
  return found;
}

describe.skipIf(!isolation.ok)('stored pairs', () => {
  let sandbox: LocalSandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 2 });
  });
  afterAll(() => sandbox.close());

  it('differ for the reason that the evidence shows', async () => {
    const long = '[x for x in range(300)]';
    const text = `[${Array.from({ length: 300 }, (_, i) => i).join(', ')}]`;
    const cases: readonly (readonly [StoredProgram, string])[] = [
      [row('def f(x):\n return x + 1', '1', '2'), 'equal'],
      [row('def f(x):\n return x + 1', '1', '3'), 'unclassified'],
      [row('def f(x):\n return 1 // x', '0', '3'), 'unclassified'],
      [row('def f(x):\n return f(x - 1) if x else 7', 'f(3)', '7'), 'equal-expression'],
      [row('def f(x):\n return x', '1 // 0', '7'), 'input-fails'],
      [row('def f(x):\n return x', '1', ''), 'stored-empty'],
      [
        row(`def f(x):\n return ${long}`, '1', `${text.slice(0, 200)}...${text.slice(-200)}`),
        'stored-truncated',
      ],
      [row('def f(x):\n return 1', '1', '<object>'), 'stored-not-literal'],
      [row('import nosuchmodule\ndef f(x):\n return 1', '1', '1'), 'missing-module'],
      [row('def f(x):\n return reversed([x])', '1', '[1]'), 'not-literal-output'],
      [row('def f(x):\n return list(set(x))', '"abcdefgh"', "['a']"), 'hash-order'],
      [row('def f(x):\n return id(x)', '[1]', '7'), 'address'],
      [row('def f(x):\n return str(object())', '1', "'object'"), 'address'],
      [row('import os\ndef f(x):\n return os.urandom(4)', '1', "b'1234'"), 'chance-or-clock'],
      [row('def f(x):\n return [0] * 10**6', '1', '[]'), 'too-large'],
      [row('def f(x):\n return open("/none")', '1', '7'), 'file-access'],
      [row('def f(x, seen=[]):\n seen.append(x)\n return seen', '1', '[1, 1]'), 'state-between-calls'],
    ];
    const results = await rerun(
      sandbox,
      cases.map(([program], i) => ({ ...program, line: i + 1 })),
    );
    expect(results.map((result, i) => [cases[i]?.[0].code, result.class])).toEqual(
      cases.map(([{ code }, name]) => [code, name]),
    );
  });

  it.skipIf(!existsSync(DATA))('of CRUXEval are all reproduced', async () => {
    const { programs, broken } = await readStored(`${DATA}benchmarks/cruxeval.jsonl`);
    expect(broken).toEqual([]);
    const found = counts(await rerun(sandbox, programs));
    expect(found).toEqual({ equal: 790, 'equal-expression': 10 });
  });

  it.skipIf(!existsSync(DATA))('of a published induction file are reproduced or explained', async () => {
    const { programs, broken } = await readStored(`${DATA}seeds/7b_coder_code_f_seed_io.jsonl`);
    expect(broken).toEqual([]);
    const results = await rerun(sandbox, programs);
    expect(results.filter(({ class: name }) => name === 'unclassified')).toEqual([]);
    expect(results).toHaveLength(2556);
    const found = counts(results);
    expect((found['equal'] ?? 0) + (found['equal-expression'] ?? 0)).toBeGreaterThanOrEqual(2455);
  });

  // Of 256 rows each: pairs, then induction.
  it.skipIf(!existsSync(DATA)).each([
    ['3b_coder', 231, 215],
    ['7b', 241, 231],
    ['7b_coder', 237, 226],
    ['14b', 245, 241],
    ['14b_coder', 246, 236],
  ])(
    'of %s start a run: %i and %i rows hold, each other one is refused with its reason',
    async (name, ...held) => {
      const found = [];
      for (const [kind, file] of [
        ['pairs', `${name}_seed_io.jsonl`],
        ['induction', `${name}_code_f_seed_io.jsonl`],
      ] as const) {
        const text = await readFile(`${DATA}seeds/${file}`, 'utf8');
        const { rows } = readSeedFile('--seed', file, text, kind);
        const items = rows.flatMap(({ line, rowJson }) =>
          parseSeedRows(rowJson).rows.map((parsed) => ({ id: `${file} ${line}`, row: { ...parsed, line } })),
        );
        const { fates } = await judgeSeedRows(sandbox, items, ORIGIN);
        expect(fates.map(({ row: { line } }) => line)).toEqual(rows.map(({ line }) => line));
        for (const { row, fate } of fates)
          if (fate.ok) expect(fate.outputs).toHaveLength(row.inputs.length);
          else expect([...PROPOSAL_REASONS, ...STORED_REASONS]).toContain(fate.reason);
        expect(fates).toHaveLength(256);
        found.push(fates.filter(({ fate }) => fate.ok).length);
      }
      expect(found).toEqual(held);
    },
  );
});
