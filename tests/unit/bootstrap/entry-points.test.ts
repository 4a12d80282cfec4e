/** `npm start` and `npm test` as programs: usage, a machine that lacks things, and what is counted. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, withFolder } from './scripts.js';

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function node(args: readonly string[], env: NodeJS.ProcessEnv = process.env, cwd = ROOT): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

describe('scripts/test.mjs', () => {
  it.each([
    [['--olny', 'unit'], 'argument "--olny" is unknown'],
    [['--only'], '--only takes one value'],
    [['--only', 'nowhere'], '--only is "nowhere": no test file\'s path holds it'],
  ])('refuses %j before any set-up', async (args, message) => {
    const { code, stdout, stderr } = await node([path.join('scripts', 'test.mjs'), ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('accepted: npm test [-- --only types|lint|format|unit|integration|PATH]');
  });
});

describe('scripts/start.mjs', () => {
  it('says what the machine lacks and what mends it: exit code 3', () =>
    withFolder(async (folder) => {
      const bin = path.join(folder, 'bin');
      await mkdir(bin);
      await symlink(process.execPath, path.join(bin, 'node'));
      const env = { PATH: bin, HOME: folder, AZR_CACHE_DIR: path.join(folder, 'cache') };
      const { code, stderr } = await node([path.join('scripts', 'start.mjs'), '--setup-only'], env);
      expect(code).toBe(3);
      expect(stderr).toMatch(
        /^error: missing on this system: bubblewrap.*Java 17 or newer.*Do this: .*bubblewrap/,
      );
    }));
});

describe('the summary reporter', () => {
  const FIXTURE = `
    import { beforeAll, describe, expect, it } from 'vitest';
    it('holds', () => expect(1).toBe(1));
    it('fails', () => expect(1).toBe(2));
    it('is skipped with a note', (ctx) => ctx.skip('no such device'));
    it.skip('is skipped without', () => undefined);
    describe('a suite', () => {
      beforeAll(() => { throw new Error('no service'); });
      it('never runs', () => undefined);
    });
  `;

  it('counts passes, failures, broken hooks and files, and keeps the reasons of skips', async () => {
    // Under the checkout, where `vitest` can be resolved.
    await mkdir(path.join(ROOT, 'test-results'), { recursive: true });
    const folder = await mkdtemp(path.join(ROOT, 'test-results', 'fixture-'));
    try {
      await writeFile(path.join(folder, 'a.test.mjs'), FIXTURE);
      await writeFile(path.join(folder, 'b.test.mjs'), "throw new Error('does not load');");
      await writeFile(
        path.join(folder, 'vitest.config.mjs'),
        "export default { test: { include: ['*.test.mjs'] } };",
      );
      const out = path.join(folder, 'summary.json');
      const { code } = await node(
        [
          path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
          'run',
          `--reporter=${path.join(ROOT, 'scripts', 'test-summary-reporter.mjs')}`,
        ],
        { PATH: process.env['PATH'], AZR_TEST_SUMMARY: out },
        folder,
      );
      expect(code).toBe(1);
      const summary = JSON.parse(await readFile(out, 'utf8')) as {
        passed: number;
        failed: { name: string; why: string }[];
        skipped: { name: string; note: string }[];
      };
      expect(summary.passed).toBe(1);
      expect(summary.failed.map(({ name, why }) => `${name}: ${why}`).sort()).toEqual([
        'a.test.mjs > a suite (hook): no service',
        'a.test.mjs > fails: expected 1 to be 2 // Object.is equality',
        'b.test.mjs > (file): does not load',
      ]);
      expect(summary.skipped).toEqual([
        { name: 'a.test.mjs > is skipped with a note', note: 'no such device' },
        {
          name: 'a.test.mjs > is skipped without',
          note: 'marked in its file (skip or skipIf); see its warning above',
        },
        { name: 'a.test.mjs > a suite > never runs', note: 'a hook of its suite failed' },
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
