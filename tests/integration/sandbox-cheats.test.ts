/** The universal cheats and their variants score nothing, their honest counterparts all, in the command itself too. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIsolation, createSandbox, judgeMany, type LocalSandbox } from '../../src/sandbox/index.js';
import { CHEATS, HONEST } from '../unit/sandbox/cheats.corpus.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const AZR = fileURLToPath(new URL('../../bin/azr.mjs', import.meta.url));

interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function azr(args: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [AZR, ...args],
      { maxBuffer: 64 << 20 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe.skipIf(!isolation.ok)('cheats', () => {
  let sandbox: LocalSandbox;
  let folder: string;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 2 });
    folder = await mkdtemp(path.join(tmpdir(), 'azr-cheats-'));
  });
  afterAll(async () => {
    await sandbox.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('of four families are wrong, honest answers right, and no worker is lost', async () => {
    expect(CHEATS.length).toBeGreaterThanOrEqual(24);
    const { verdicts } = await judgeMany(
      sandbox,
      CHEATS.map(({ item }) => item),
      { limits: { cpuMs: 500 } },
    );
    const passed = verdicts.filter(({ correct, accuracy }) => correct || accuracy === 1);
    expect(passed.map(({ id }) => CHEATS.find(({ item }) => item.id === id))).toEqual([]);
    const honest = await judgeMany(sandbox, HONEST);
    expect(honest.verdicts.filter(({ correct }) => !correct)).toEqual([]);
    expect(sandbox.restarts).toBe(0);
  });

  it('answers that raise on all inputs but one are right on that share alone', async () => {
    const raising = CHEATS.filter(({ family }) => family === 'all-but-one-raises').map(({ item }) => item);
    const { verdicts } = await judgeMany(sandbox, raising, { limits: { cpuMs: 500 } });
    expect(verdicts.map(({ accuracy }) => accuracy)).toEqual(raising.map(() => 1 / 3));
  });

  it('score false through azr sandbox judge, honest answers true', async () => {
    const items = [...CHEATS.map(({ item }) => item), ...HONEST];
    const file = path.join(folder, 'items.jsonl');
    await writeFile(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    const { code, stdout, stderr } = await azr(['sandbox', 'judge', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const verdicts = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; correct: boolean; accuracy: number });
    expect(verdicts.map(({ id, correct }) => [id, correct])).toEqual(
      items.map(({ id }) => [id, id.startsWith('honest')]),
    );
  });

  it('malformed lines are named by their numbers, skipped, and the exit code is 2', async () => {
    const exec = (id: string, code: string, ...inputs: string[]) => JSON.stringify({ id, code, inputs });
    const file = path.join(folder, 'lines.jsonl');
    const long = `"${'a'.repeat(10 << 20)}"`;
    await writeFile(
      file,
      Buffer.concat([
        Buffer.from(`${exec('crlf', 'def f(x):\r\n\treturn x\r\n', '1')}\r\n`),
        Buffer.from('{"id": "half", "code": \n'),
        Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
        Buffer.from(`${exec('long', 'def f(x):\n return 1', long, '2')}\n\n \t \n`),
        Buffer.from(`${'z'.repeat(10 << 20)}\n`),
        Buffer.from(
          '{"id": "surrogate", "code": "def f(x):\\n return x", "inputs": ["\'\\ud800\'", "\'\\\\ud800\'"]}\n',
        ),
        Buffer.from(`${exec('nul', 'def f(x):\n return "\0"', '1')}\n`),
        Buffer.from(`${exec('nul-input', 'def f(x):\n return x', "'\0'", "'\\x00'")}\n`),
        Buffer.from('\t{"id":\t"tabs",\t"code": "def f(x):\\n\\treturn x",\t"inputs": ["\\t7\\t"]}\t\n'),
        Buffer.from('{"id": "list", "code": "x", "inputs": "1"}\nnull\n"text"\n{}\n'),
        Buffer.from(exec('unended', 'def f(x):\n return x + 1', '1')),
      ]),
    );
    const { code, stdout, stderr } = await azr(['sandbox', 'exec', file]);
    expect(code).toBe(2);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; results: { outcome: string; value?: string }[] });
    expect(
      answers.map(({ id, results }) => [id, ...results.map(({ outcome, value }) => value ?? outcome)]),
    ).toEqual([
      ['crlf', '1'],
      ['long', 'refused', '1'],
      ['surrogate', 'raised', "'\\ud800'"],
      ['nul', 'refused'],
      ['nul-input', 'refused', "'\\x00'"],
      ['tabs', '7'],
      ['unended', '2'],
    ]);
    const numbers = [...stderr.matchAll(/^line (\d+): ./gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual([2, 3, 7, 12, 13, 14, 15]);
    expect(stderr).toMatch(/^line 12: inputs is no list of texts; accepted is/m);
  });

  it('arguments that are wrong are named', async () => {
    const missing = await azr(['sandbox', 'judge', path.join(folder, 'none.jsonl')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/FILE is .*none\.jsonl, which cannot be read; accepted is/);
    const seeds = await azr(['sandbox', 'exec', '-', '--seeds', '4']);
    expect(seeds.code).toBe(2);
    expect(seeds.stderr).toMatch(/--seeds is 4; accepted are 1, 2 and 3/);
  });
});
