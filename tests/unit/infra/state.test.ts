/** Files of the local stack: folders, state, logs, the lock. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseJavaVersion } from '../../../infra/local/java.js';
import { withLock } from '../../../infra/local/lock.js';
import { lastLines, readFrom, rotate } from '../../../infra/local/logs.js';
import { identityOf } from '../../../infra/local/processes.js';
import { kafkaProperties } from '../../../infra/local/services/kafka.js';
import { ensureDataFolders, writeState } from '../../../infra/local/state-files.js';
import { isAlive, readState, runningSupervisor, stateFile } from '../../../src/config/stack-state.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-state-'));
  ensureDataFolders(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the data folder', () => {
  it('that cannot be made is named with what to do, exit code 2', async () => {
    await writeFile(path.join(folder, 'file'), '');
    for (const place of ['/proc/azr', path.join(folder, 'file', 'below')]) {
      const make = (): void => ensureDataFolders(place);
      expect(make).toThrow(`the data folder ${place} cannot be written`);
      expect(make).toThrow('AZR_DATA_DIR');
      expect(make).toThrow(expect.objectContaining({ exitCode: 2 }) as Error);
    }
  });
});

describe('state files', () => {
  it('come back as they were, for their user alone', async () => {
    writeState(folder, 'one', { a: [1] });
    expect(readState(folder, 'one')).toEqual({ a: [1] });
    expect((await stat(stateFile(folder, 'one'))).mode & 0o077).toBe(0);
    expect(await readdir(path.join(folder, 'state'))).toEqual(['one.json']);
    expect(readState(folder, 'two')).toBeUndefined();
  });

  it('that are damaged are named with what to do', async () => {
    await writeFile(stateFile(folder, 'stack'), '{');
    expect(() => readState(folder, 'stack')).toThrow(/stack\.json is damaged; remove it/);
  });

  it('name a process by its start too: a pid that came back is not taken for it', () => {
    const self = identityOf(process.pid);
    expect(self !== undefined && isAlive(self)).toBe(true);
    expect(isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
    writeState(folder, 'supervisor', { pid: process.pid, startTime: '1', controlPort: 1, token: '' });
    expect(runningSupervisor(folder)).toBeUndefined();
  });
});

describe('the lock', () => {
  const file = (): string => path.join(folder, 'state', 'lock');

  it('lets one in at a time and is gone afterwards, also after a failure', async () => {
    const order: string[] = [];
    const work = (name: string): Promise<void> =>
      withLock(
        folder,
        async () => {
          order.push(`${name} in`);
          await new Promise((resolve) => setTimeout(resolve, 20));
          order.push(`${name} out`);
        },
        () => undefined,
      );
    await Promise.all([work('a'), work('b')]);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
    const failing = withLock(folder, () => Promise.reject(new Error('no')), () => undefined); // prettier-ignore
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(file())).toBe(false);
  });

  it('of a dead process is taken over', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    const identity = identityOf(child.pid ?? 0);
    await new Promise((resolve) => child.once('exit', resolve));
    await writeFile(file(), JSON.stringify(identity));
    expect(await withLock(folder, () => Promise.resolve(7), () => undefined)).toBe(7); // prettier-ignore
    expect(await readdir(path.join(folder, 'state'))).toEqual([]);
  });
});

describe('logs', () => {
  it('above a size are moved aside; two are kept', async () => {
    const log = path.join(folder, 'logs', 'x.log');
    expect(rotate(log, 4)).toBe(false);
    for (const text of ['first', 'second', 'third']) {
      await appendFile(log, text);
      expect(rotate(log, 4)).toBe(true);
    }
    expect(rotate(log, 4)).toBe(false);
    expect(await readFile(log, 'utf8')).toBe('');
    expect(await readFile(`${log}.1`, 'utf8')).toBe('third');
    expect(await readFile(`${log}.2`, 'utf8')).toBe('second');
    expect((await readdir(path.dirname(log))).length).toBe(3);
  });

  it('are read from an offset, and whole once they were truncated', async () => {
    const log = path.join(folder, 'logs', 'x.log');
    expect(readFrom(log, 0)).toBe('');
    await writeFile(log, 'old\nnew\n\n');
    expect(readFrom(log, 4)).toBe('new\n\n');
    expect(readFrom(log, 100)).toBe('old\nnew\n\n');
    expect(readFrom(log, 0, 5)).toBe('new\n\n');
    expect(lastLines(log, 1)).toEqual(['new']);
  });
});

describe('Kafka', () => {
  it('keeps everything for ever and makes no topic by itself', () => {
    const ports = {
      kafka: 1,
      kafkaController: 2,
      temporal: 3,
      temporalUi: 4,
      temporalHttp: 5,
      clickhouse: 6,
    };
    const lines = kafkaProperties('/data', ports).split('\n');
    expect(lines).toContain('log.retention.ms=-1');
    expect(lines).toContain('log.retention.bytes=-1');
    expect(lines).toContain('auto.create.topics.enable=false');
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2');
  });

  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "26-ea" 2026-03-17', 26],
    ['sh: java: not found', undefined],
  ])('reads %s', (said, major) => expect(parseJavaVersion(said)).toBe(major));
});
