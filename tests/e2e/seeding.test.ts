/** Seed files end to end: made by a durable workflow, taken by a run after the sandbox bore them out, refused with reasons. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  azrCli,
  azrUntil as until,
  killServices as killIn,
  PLAIN_STEPS,
  ROOT,
  SMALL_MODEL,
} from '../support/azr-cli.js';

const SMALL = [
  ...SMALL_MODEL,
  ...PLAIN_STEPS,
  'propose.batch=16',
  'solve.batch=8',
  'evaluation.perBucket=5',
].flatMap((override) => ['--set', override]);
/** Many rounds. */
const FEW = ['--set', 'propose.batch=4'];
const PUBLISHED = path.resolve(ROOT, '../shared/data/seeds');

let folder: string;
const { azr, azrJson } = azrCli(() => folder);
const inFolder = (name: string): string => path.join(folder, name);

const azrUntil = (args: readonly string[], sign: RegExp): Promise<void> => until(folder, args, sign);
const killServices = (): Promise<void> => killIn(folder, azrJson);

interface Fate {
  readonly file_name: string;
  readonly fate: string;
  readonly rows: number;
}

const fatesOf = (run: string): Promise<Fate[]> =>
  azrJson<Fate[]>(['sql', '--saved', 'seed-rows', '--run', run, '--json']);

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-seeding-'));
});
afterAll(async () => {
  await azr(['down']);
  await rm(folder, { recursive: true, force: true });
});

describe('seed files', () => {
  it('are refused before anything starts where a line is no row', async () => {
    const bad = inFolder('bad.jsonl');
    await writeFile(
      bad,
      '{"snippet":"def f(x):\\n    return x","input":"1","output":"1"}\nnot json\n{"snippet":"x"}\n',
    );
    const run = await azr(['run', 'tiny', '--seed-io', bad]);
    expect(run.code).toBe(2);
    expect(run.err).toContain('--seed-io is');
    expect(run.err).toContain('line 2: not JSON');
    expect(run.err).toContain('line 3: input');
    const swapped = await azr(['run', 'tiny', '--seed-f', bad.replace('bad', 'missing')]);
    expect([swapped.code, swapped.err.includes('cannot be read')]).toEqual([2, true]);
  });

  it('are made by the policy as it stands; the same call again gives the same files', async () => {
    const args = ['--out-io', inFolder('io.jsonl'), '--out-f', inFolder('f.jsonl'), '--rows', '20', ...SMALL];
    const made = await azr(['seed', 'tiny', ...args]);
    expect(made.code, made.err).toBe(0);
    const texts = await Promise.all(['io.jsonl', 'f.jsonl'].map((name) => readFile(inFolder(name), 'utf8')));
    for (const text of texts) expect(text.trimEnd().split('\n')).toHaveLength(20);
    const again = await azrJson<{ pairs: number; inductions: number }>(['seed', 'tiny', ...args, '--json']);
    expect(again).toMatchObject({ pairs: 20, inductions: 20 });
    expect(
      await Promise.all(['io.jsonl', 'f.jsonl'].map((name) => readFile(inFolder(name), 'utf8'))),
    ).toEqual(texts);
  });

  it('start a run, each of their rows used', async () => {
    const run = await azr([
      ...['run', 'tiny', '--run', 'seeded', '--iterations', '1', ...SMALL, '--follow'],
      ...['--seed-io', inFolder('io.jsonl'), '--seed-f', inFolder('f.jsonl')],
    ]);
    expect(run.code, run.err).toBe(0);
    expect(run.out).toContain('Rows of the seed files, verified in the sandbox before use');
    expect(run.out + run.err).toMatch(/ policy on tfjs-node-gpu, \d+ threads: libtensorflow [\d.]+ \(/);
    const [engine] = await azrJson<{ library: string }[]>([
      'sql',
      '--json',
      "select policy_library as library from run_started where run_id = 'seeded'",
    ]);
    expect(engine?.library).toMatch(/^libtensorflow [\d.]+ \(.*CUDA device.*\)$/);
    expect(await fatesOf('seeded')).toEqual([
      { file_name: 'f.jsonl', fate: 'used', rows: 20, example: '' },
      { file_name: 'io.jsonl', fate: 'used', rows: 20, example: '' },
    ]);
    // A pair is a task of deduction and one of abduction.
    const kinds = await azrJson<{ kind: string; tasks: number }[]>([
      'sql',
      '--json',
      "select kind, toUInt32(count()) as tasks from task_accepted final where run_id = 'seeded' and origin = 'seed' group by kind order by kind",
    ]);
    expect(kinds).toEqual(['abduction', 'deduction', 'induction'].map((kind) => ({ kind, tasks: 20 })));
    const replayed = await azrJson<{ differences: unknown[] }>(['replay', 'seeded', '--json']);
    expect(replayed.differences).toEqual([]);
  });

  it('are read by seed verify, which asks for no file to write', async () => {
    const made = await azrJson<object>(['seed', 'verify', inFolder('io.jsonl'), '--json']);
    expect(made).toMatchObject({ rows: 20, accepted: 20, rejected: 0, reasons: {} });
    const none = await azr(['seed', 'tiny', '--out-io', inFolder('only.jsonl')]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('--out-f is missing')]);
  });

  it('survive kill -9 of everything while they are made, and are what they would have been', async () => {
    const make = (name: string, ...more: string[]): string[] => {
      const files = ['--out-io', inFolder(`${name}-io.jsonl`), '--out-f', inFolder(`${name}-f.jsonl`)];
      return ['seed', 'tiny', '--run', name, '--rows', '40', ...files, ...SMALL, ...FEW, ...more];
    };
    const broken = azrUntil(make('killed'), /round [2-9]\d*:/);
    await broken;
    await killServices();
    const resumed = await azr(make('killed'));
    expect(resumed.code, resumed.err).toBe(0);
    const whole = await azr(make('whole'));
    expect(whole.code, whole.err).toBe(0);
    for (const kind of ['io', 'f']) {
      const [mine, other] = await Promise.all(
        ['killed', 'whole'].map((name) => readFile(inFolder(`${name}-${kind}.jsonl`), 'utf8')),
      );
      expect(mine).toBe(other);
      const lines = (mine ?? '').trimEnd().split('\n');
      expect(new Set(lines).size).toBe(40);
    }
    const other = await azr(make('killed', '--seed', '9'));
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('another configuration')]);
  });

  it('that lie are found out, row by row', async () => {
    const row = (output: string): string =>
      JSON.stringify({ snippet: 'def f(x):\n    x = x[::-1]\n    return x', input: '[1, 2, 3]', output });
    const file = inFolder('lies.jsonl');
    await writeFile(file, `${row('[3, 2, 1]')}\n${row('[1, 2, 3]')}\n`);
    const run = await azr([
      'run',
      'tiny',
      '--run',
      'lied-to',
      '--iterations',
      '1',
      ...SMALL,
      '--follow',
      '--seed-io',
      file,
    ]);
    expect(run.code, run.err).toBe(0);
    expect((await fatesOf('lied-to')).map(({ fate, rows }) => [fate, rows])).toEqual([
      ['stored-output-differs', 1],
      ['used', 1],
    ]);
  });

  it('are told apart by their rows, not by their names; repeats are refused where the buffer refuses them', async () => {
    const code = 'def f(x):\n    x = x[::-1]\n    return x';
    const pair = { snippet: code, input: '[1, 2, 3]', output: '[3, 2, 1]' };
    const lie = { snippet: code, inputs: ['[1, 2, 3]'], outputs: ['[1, 2, 3]'], message: 'm' };
    const inputs = ['[1, 2, 3]', '[2, 2, 3]', '[1, 2, 4]', '[1, 3, 3]', '[4, 2, 1]'];
    const outputs = ['[3, 2, 1]', '[3, 2, 2]', '[4, 2, 1]', '[3, 3, 1]', '[1, 2, 4]'];
    const tooMany = { snippet: code, inputs, outputs, message: 'm' };
    const text = (...rows: object[]): string => rows.map((one) => `${JSON.stringify(one)}\n`).join('');
    for (const sub of ['a', 'b']) await mkdir(inFolder(sub));
    await writeFile(inFolder('a/seeds.jsonl'), text(pair, pair));
    await writeFile(inFolder('b/seeds.jsonl'), text(lie, tooMany));
    const run = await azr([
      ...['run', 'tiny', '--run', 'names', '--iterations', '1', ...SMALL, '--follow'],
      ...['--seed-io', inFolder('a/seeds.jsonl'), '--seed-f', inFolder('b/seeds.jsonl')],
    ]);
    expect(run.code, run.err).toBe(0);
    const fates = (await fatesOf('names')).map(({ fate, rows }) => `${fate} ${rows}`);
    expect(fates.sort()).toEqual(['duplicate 1', 'outside-domain 1', 'stored-output-differs 1', 'used 1']);
  });

  it.skipIf(!existsSync(PUBLISHED))(
    'of the published code are verified whole; what is no task of the tiny domain is refused as that (skipped where the published files are not beside the project)',
    async () => {
      const files = ['7b_seed_io.jsonl', '7b_code_f_seed_io.jsonl'].map((name) => path.join(PUBLISHED, name));
      const run = await azr([
        ...['run', 'tiny', '--run', 'published', '--iterations', '1', ...SMALL, '--follow'],
        ...['--seed-io', files[0] ?? '', '--seed-f', files[1] ?? ''],
      ]);
      expect(run.code, run.err).toBe(0);
      const fates = await fatesOf('published');
      for (const name of ['7b_seed_io.jsonl', '7b_code_f_seed_io.jsonl'])
        expect(
          fates.filter(({ file_name }) => file_name === name).reduce((sum, { rows }) => sum + rows, 0),
        ).toBe(256);
      expect(fates.find(({ fate }) => fate === 'used')).toBeUndefined();
      expect(
        fates.find(({ file_name, fate }) => file_name === '7b_seed_io.jsonl' && fate === 'outside-domain')
          ?.rows,
      ).toBe(241);
    },
  );
});
