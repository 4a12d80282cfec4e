/** One supervised process, with real ones: health, restarts, the end. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProcessSpec } from '../../../infra/local/process-spec.js';
import { identityOf } from '../../../infra/local/processes.js';
import { Supervised } from '../../../infra/local/supervised.js';
import { Supervisor } from '../../../infra/local/supervisor.js';
import { ensureDataFolders } from '../../../infra/local/state-files.js';
import { readState } from '../../../src/config/stack-state.js';

let folder: string;
const started: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-supervised-'));
  ensureDataFolders(folder);
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
  await rm(folder, { recursive: true, force: true });
});

const spec = (script: string, more: Partial<ProcessSpec> = {}): ProcessSpec => ({
  name: 'p',
  command: '/bin/sh',
  args: ['-c', script],
  env: {},
  cwd: folder,
  health: { kind: 'log', line: 'ready' },
  dependsOn: [],
  ports: [],
  restart: { initialMs: 5, maximumMs: 40, failedAfter: 3, stableMs: 60_000 },
  stopSignal: 'SIGTERM',
  graceMs: 10_000,
  startMs: 10_000,
  ...more,
});

function supervise(one: ProcessSpec): { process: Supervised; events: string[] } {
  const events: string[] = [];
  const process_ = new Supervised({
    spec: one,
    logFile: path.join(folder, 'logs', 'p.log'),
    dependenciesReady: () => Promise.resolve(),
    onChild: () => undefined,
    onEvent: (line) => events.push(line),
    env: process.env,
  });
  started.push(process_);
  process_.start();
  return { process: process_, events };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

describe('a supervised process', () => {
  it('runs from the line that says so, with its address and memory, until it is stopped', async () => {
    const { process: one } = supervise(spec('echo starting; echo ready; exec sleep 60', { address: 'here' }));
    expect(one.status()).toMatchObject({ state: 'starting', restarts: 0 });
    await until(() => one.state === 'running');
    const { pid = 0, ...told } = one.status();
    expect(told).toMatchObject({ name: 'p', state: 'running', address: 'here', restarts: 0 });
    expect(told.rssMiB).toBeGreaterThanOrEqual(0);
    await one.stop();
    expect(one.status()).toEqual({ name: 'p', state: 'stopped', address: 'here', restarts: 0 });
    expect(identityOf(pid)).toBeUndefined();
  });

  it('does not take an earlier life for healthy', async () => {
    const { process: one } = supervise(
      spec('test -e once && exec sleep 60; touch once; echo ready; sleep 0.3; exit 1', { startMs: 60_000 }),
    );
    await until(() => one.state === 'running');
    await until(() => one.status().restarts === 1 && one.status().pid !== undefined);
    await sleep(300);
    expect(one.state).toBe('starting');
  });

  it('is started again after a crash, says how it ended, and counts as failed after three in a row', async () => {
    const { process: one, events } = supervise(spec('echo why it fails; exit 3'));
    await until(() => one.state === 'failed');
    expect(events[0]).toMatch(
      /^p: ended with code 3; last line: why it fails \(log: .*p\.log\); next try in 5 ms$/,
    );
    expect(events[1]).toMatch(/next try in 10 ms$/);
    expect(one.status().restarts).toBeGreaterThanOrEqual(2);
    // It is still tried: what it lacked may come.
    const before = one.status().restarts;
    await until(() => one.status().restarts > before + 1);
  });

  it('that a signal ended runs again under another pid', async () => {
    const { process: one, events } = supervise(spec('echo ready; exec sleep 60'));
    await until(() => one.state === 'running');
    const { pid = 0 } = one.status();
    process.kill(pid, 'SIGKILL');
    await until(() => one.state === 'running' && one.status().restarts === 1);
    expect(one.status().pid).not.toBe(pid);
    expect(events).toContainEqual(expect.stringContaining('p: was ended by SIGKILL'));
  });

  it('that ignores its signal is killed after its grace, with what it started', async () => {
    const script = `trap '' TERM; (trap '' TERM; echo $$ > parent; exec sleep 60) & echo $! > child; echo ready; while :; do sleep 60; done`;
    const { process: one, events } = supervise(spec(script, { graceMs: 100 }));
    await until(() => one.state === 'running');
    const child = Number(await readFile(path.join(folder, 'child'), 'utf8'));
    expect(identityOf(child)).toBeDefined();
    await one.stop();
    await until(() => identityOf(child) === undefined);
    expect(events).toContain('p: did not end in 0.1 s; killed');
  });

  it('that never becomes healthy is ended and says so', async () => {
    const { process: one, events } = supervise(spec('exec sleep 60', { startMs: 200 }));
    await until(() => one.state === 'failed');
    expect(events[0]).toMatch(/^p: did not become healthy in 0\.2 s \(log: /);
  });

  it('that cannot be started says so', async () => {
    const { process: one } = supervise(spec('', { command: path.join(folder, 'none') }));
    await until(() => one.state === 'failed');
    expect(one.status().detail).toMatch(/none cannot be started/);
  });

  it('waits for its port and names who has it', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ports = [{ port, key: 'ports.p' }];
    const { process: one } = supervise(spec('echo ready; exec sleep 60', { ports }));
    await until(() => one.status().detail !== undefined);
    expect(one.status().detail).toMatch(`port ${port} (ports.p) is in use by process ${process.pid}`);
    await new Promise((resolve) => server.close(resolve));
    await until(() => one.state === 'running');
  });

  it('is stopped while it waits for its next try', async () => {
    const restart = { initialMs: 60_000, maximumMs: 60_000, failedAfter: 1, stableMs: 1 };
    const { process: one, events } = supervise(spec('exit 1', { restart }));
    await until(() => events.length > 0);
    await one.stop();
    expect(one.state).toBe('stopped');
  });
});

describe('the supervisor', () => {
  it('starts each after those it needs, records the children, stops in the reverse order', async () => {
    const note = (name: string): string =>
      `echo ${name} >> order; trap 'echo no ${name} >> order; exit 0' TERM; echo ready; while :; do sleep 0.05; done`;
    const specs = [
      spec(note('worker'), { name: 'worker', dependsOn: ['log', 'order'] }),
      spec(note('log'), { name: 'log' }),
      spec(note('order'), { name: 'order', dependsOn: ['log'] }),
    ];
    const supervisor = new Supervisor(specs, folder, 'mark', () => undefined);
    started.push({ stop: () => supervisor.stopAll() });
    supervisor.start(['worker', 'log', 'order']);
    await until(() => supervisor.status().every(({ state }) => state === 'running'));
    expect(Object.keys(readState<object>(folder, 'children') ?? {}).sort()).toEqual([
      'log',
      'order',
      'worker',
    ]);
    await expect(supervisor.restart('lag')).rejects.toThrow(
      'service is "lag"; accepted are worker, log, order',
    );
    await supervisor.stopAll();
    const order = (await readFile(path.join(folder, 'order'), 'utf8')).trim().split('\n');
    expect(order).toEqual(['log', 'order', 'worker', 'no worker', 'no order', 'no log']);
    expect(readState(folder, 'children')).toEqual({});
    expect(existsSync(path.join(folder, 'logs', 'worker.log'))).toBe(true);
  });
});
