/** `azr measure` from a shell: lines in, lines out, in order; malformed lines told with their number. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIsolation } from '../../src/sandbox/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`measure tests skipped: ${isolation.missing}; ${isolation.remedy}`);

interface Ended {
  readonly code: number | null;
  readonly lines: readonly Record<string, unknown>[];
  readonly stderr: string;
}

/** Runs `azr measure`; standard input is what `feed` writes. */
function measure(args: readonly string[], feed: (write: (text: string) => void) => void = () => undefined) {
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/azr.mjs'), 'measure', ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  feed((text) => child.stdin.write(text));
  child.stdin.end();
  return new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const lines = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      resolve({ code, lines, stderr });
    });
  });
}

const PROGRAM = 'import math\n# why\ndef f(a):\n    if a and 1:\n        return 1';

describe.skipIf(!isolation.ok)('azr measure', () => {
  let folder: string;
  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/build.mjs')]);
    folder = await mkdtemp(path.join(os.tmpdir(), 'azr-measure-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('answers programs and pairs of a file', async () => {
    const file = path.join(folder, 'lines.jsonl');
    const lines = [
      { id: 'p', snippet: PROGRAM },
      { id: 7, a: 'x = 1', b: 'x=1' },
      { id: 'e', snippet: 'def f(:' },
      { id: 'n', a: 'x = 1\0', b: 'x = 1' },
      { id: 'j', a: 'x = ...', b: 'x = 1' },
    ];
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
    const { code, lines: answers, stderr } = await measure([file]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const clean = 'import math\ndef f(a):\n    if a and 1:\n        return 1';
    expect(answers).toEqual([
      {
        id: 'p',
        // if 1, and 1
        complexity: 2 / 15,
        // One operator, operands a and 1: volume 3 log2(3) = 4.755, effort 4.755 / 2; 1 + if + and = 3 of 10.
        halstead: 0.092,
        no_comments: clean,
        defs_only: clean,
        imports: ['import math'],
      },
      { id: 7, distance: 0 },
      {
        id: 'e',
        complexity: 0,
        halstead: 0,
        no_comments: 'def f(:',
        defs_only: 'def f(:',
        imports: [],
        error: 'SyntaxError: invalid syntax',
      },
      { id: 'n', distance: 0, error: expect.stringMatching(/^a: ValueError: .*null bytes/) as string },
      { id: 'j', distance: 0, error: 'a constant of type ellipsis has no JSON text' },
    ]);
  });

  it('reports malformed lines by number, answers the others in order, exits with 2', async () => {
    const { code, lines, stderr } = await measure(['-'], (write) => {
      write('{"id": 1, "snippet": "x"}\nnonsense\n\n[1]\n{"id": 2}\n{"id": 3, "a": "x"}\n{"snippet": "x"}\n');
      write('{"id": 4, "snippet": "x", "a": "y"}\n{"id": 5, "snippet": 6}\n{"id": 8, "a": "", "b": ""}\n');
    });
    expect(code).toBe(2);
    expect(lines.map((line) => line['id'])).toEqual([1, 8]);
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^line 2: .*JSON/),
      'line 4: no JSON object',
      'line 5: snippet is missing; accepted is {id, snippet} or {id, a, b}',
      'line 6: b is missing; accepted is the text of a program',
      'line 7: id is missing; accepted is a text or a number',
      'line 8: the line has snippet and a or b; accepted is either snippet, or a and b',
      'line 9: snippet is 6; accepted is the text of a program',
    ]);
  });

  it('keeps the order over more lines than it takes at once, hostile ones among them', async () => {
    const hostile = ['-'.repeat(20_000) + '1', '('.repeat(5000), '['.repeat(90) + ']'.repeat(90), '\0'];
    const { code, lines } = await measure(['-', '--workers', '2'], (write) => {
      for (let i = 0; i < 700; i++)
        write(`${JSON.stringify({ id: i, snippet: hostile[i % 50] ?? `if x:\n    y = ${i}` })}\n`);
    });
    expect(code).toBe(0);
    expect(lines.map((line) => line['id'])).toEqual(Array.from({ length: 700 }, (_, i) => i));
    lines.forEach((line, i) => {
      const bad = i % 50 < 4 && i % 50 !== 2;
      expect(typeof line['error']).toBe(bad ? 'string' : 'undefined');
      expect(line['complexity']).toBe(i % 50 < 4 ? 0 : 1 / 15);
    });
  });

  it('names a file that cannot be read and an option out of range', async () => {
    const missing = await measure([path.join(folder, 'none.jsonl')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/FILE is .*none\.jsonl, which cannot be read; accepted is/);
    const workers = await measure(['-', '--workers', '0']);
    expect(workers.code).toBe(2);
    expect(workers.stderr).toContain('--workers is 0; accepted are 1 to 64');
  });
});
