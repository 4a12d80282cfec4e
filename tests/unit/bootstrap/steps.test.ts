/** Steps, versions, the cache: what holds is skipped, what does not is named. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, withFolder } from './scripts.js';

const { runSteps } = await load('steps.mjs');
const { cacheDirectory, ensureWritable, tidy, Unreachable } = await load('cache.mjs');
const { isNodeAccepted, ensureNode } = await load('node-version.mjs');
const { sameTree } = await load('packages.mjs');
const { parseJavaVersion } = await load('system-packages.mjs');
const { isTemporalAccepted } = await load('temporal.mjs');
const { extractFromZip } = await load('zip.mjs');
const DAY_MS = 86_400_000;

describe('runSteps', () => {
  it('says of each step whether it held already, and counts those that had to work', async () => {
    const lines: string[] = [];
    const { installed } = await runSteps(
      [
        { name: 'one', ensure: () => ({ state: 'present', detail: 'was there' }) },
        {
          name: 'two',
          ensure: ({ log }) => {
            log('fetching');
            return { state: 'installed', detail: 'is there now' };
          },
        },
      ],
      {},
      (line) => lines.push(line),
    );
    expect(installed).toBe(1);
    expect(lines[0]).toMatch(/^setup {2}one +ok, skipped +\d+ ms +was there$/);
    expect(lines[1]).toMatch(/^setup {2}two +fetching$/);
    expect(lines[2]).toMatch(/^setup {2}two +done +\d+ ms +is there now$/);
  });

  it('begins no step after one that failed', async () => {
    let begun = false;
    const steps = [
      { name: 'one', ensure: () => Promise.reject(new Error('no disk')) },
      {
        name: 'two',
        ensure: () => {
          begun = true;
          return { state: 'present', detail: '' } as const;
        },
      },
    ];
    await expect(runSteps(steps, {}, () => undefined)).rejects.toThrow('no disk');
    expect(begun).toBe(false);
  });
});

describe('versions', () => {
  it.each([
    ['20.19.0', true],
    ['20.18.3', false],
    ['18.20.0', false],
    ['22.0.0', true],
  ])('Node %s is accepted: %s', (version, accepted) => {
    expect(isNodeAccepted(version)).toBe(accepted);
  });

  it('names another Node or system and what would be accepted', () => {
    expect(() => ensureNode('18.20.0')).toThrow('Node is 18.20.0; accepted is 20.19 or newer');
    expect(() => ensureNode('20.19.0', 'darwin', 'arm64')).toThrow(
      /darwin-arm64; accepted is linux-x64.*docker compose/,
    );
  });

  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['nothing', undefined],
  ])('%s is Java %s', (said, major) => {
    expect(parseJavaVersion(said)).toBe(major);
  });

  it.each([
    ['temporal version 1.9.1 (Server 1.32.0)', true],
    ['temporal version 1.1.0', true],
    ['temporal version 0.13.2', false],
    ['temporal version 1.0.0', false],
    ['', false],
  ])('%s is accepted: %s', (said, accepted) => {
    expect(isTemporalAccepted(said)).toBe(accepted);
  });
});

describe('sameTree', () => {
  const entry = (version: string): object => ({ version, integrity: `sha512-${version}` });
  const lock = {
    packages: {
      '': {},
      'node_modules/a': entry('1.0.0'),
      'node_modules/b-darwin': { ...entry('2.0.0'), optional: true },
    },
  };
  it.each([
    ['the same', { 'node_modules/a': entry('1.0.0') }, true],
    [
      'with the optional one',
      { 'node_modules/a': entry('1.0.0'), 'node_modules/b-darwin': entry('2.0.0') },
      true,
    ],
    ['another version', { 'node_modules/a': entry('1.0.1') }, false],
    ['one too many', { 'node_modules/a': entry('1.0.0'), 'node_modules/c': entry('1.0.0') }, false],
    ['one too few', {}, false],
  ])('%s', (_name, packages, same) => {
    expect(sameTree(lock, { packages })).toBe(same);
  });
});

describe('cache', () => {
  it('is AZR_CACHE_DIR, else under XDG_CACHE_HOME', () => {
    expect(cacheDirectory({ AZR_CACHE_DIR: '/a', XDG_CACHE_HOME: '/x' })).toBe('/a');
    expect(cacheDirectory({ XDG_CACHE_HOME: '/x' })).toBe('/x/absolute-zero');
    expect(cacheDirectory({})).toMatch(/\.cache\/absolute-zero$/);
  });

  it('names a folder that cannot be made and the variable that mends it', () =>
    withFolder(async (folder) => {
      const file = path.join(folder, 'file');
      await writeFile(file, '');
      expect(() => ensureWritable(path.join(file, 'below'))).toThrow(/file\/below cannot .*AZR_CACHE_DIR=/);
    }));

  it('does not hang where the system lets no folder be made', () => {
    expect(() => ensureWritable('/proc/absent/below')).toThrow(
      /\/proc\/absent\/below cannot be written \(ENOENT\)/,
    );
  });

  it('remembers a silent host for a day', () =>
    withFolder((folder) => {
      let now = Date.parse('2025-01-01T00:00:00Z');
      const hosts = new Unreachable(folder, () => now);
      expect(hosts.has('a.invalid')).toBe(false);
      hosts.remember('a.invalid');
      now += DAY_MS - 1;
      expect(new Unreachable(folder, () => now).has('a.invalid')).toBe(true);
      expect(hosts.has('b.invalid')).toBe(false);
      now += 1;
      expect(hosts.has('a.invalid')).toBe(false);
      return Promise.resolve();
    }));

  it('drops what interrupted downloads left days ago, and nothing else', () =>
    withFolder(async (folder) => {
      await mkdir(path.join(folder, 'kafka'));
      const [stale, fresh, whole] = ['a.jar.1-x.partial', 'b.jar.1-x.partial', 'c.jar'].map((name) =>
        path.join(folder, 'kafka', name),
      ) as [string, string, string];
      for (const file of [stale, fresh, whole]) await writeFile(file, '');
      for (const file of [stale, whole]) await utimes(file, 1_000, 1_000);
      tidy(folder);
      expect((await readdir(path.join(folder, 'kafka'))).sort()).toEqual(['b.jar.1-x.partial', 'c.jar']);
    }));
});

describe('extractFromZip', () => {
  it('reads members as Python packs them, stored and deflated', () =>
    withFolder(async (folder) => {
      const archive = path.join(folder, 'a.whl');
      const pack = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr('stored', 'abc' * 5, zipfile.ZIP_STORED)
    z.writestr('folder/deflated', 'xyz' * 50000, zipfile.ZIP_DEFLATED)
`;
      execFileSync('python3', ['-c', pack, archive]);
      const out = path.join(folder, 'out');
      await extractFromZip(archive, 'stored', out);
      expect(await readFile(out, 'utf8')).toBe('abc'.repeat(5));
      await extractFromZip(archive, 'folder/deflated', out);
      expect(await readFile(out, 'utf8')).toBe('xyz'.repeat(50_000));
      await expect(extractFromZip(archive, 'absent', out)).rejects.toThrow('holds no absent');
      await expect(extractFromZip(out, 'absent', out)).rejects.toThrow('is no zip archive');
    }));
});
