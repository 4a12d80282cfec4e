/**
 * The local stack with its real services: idempotent start, crash and restart, leftovers of a killed supervisor, state that
 * survives, and the sentences for what a person can mend. The workers have their own tests; here only services run.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doctor, down, restartService, status, up, type StackStatus } from '../../infra/local/index.js';
import { markedProcesses } from '../../infra/local/processes.js';
import { repositoryRoot } from '../../src/config/paths.js';
import { loadStackConfig, resolveAddresses, type StackConfig } from '../../src/config/stack.js';
import {
  isAlive,
  readState,
  runningSupervisor,
  type StackState,
  type SupervisorState,
} from '../../src/config/stack-state.js';

const SERVICES = ['kafka', 'temporal', 'clickhouse'];
const TOPIC = 'kept';

let root: string;
let config: StackConfig;

const configOf = (folder: string, env: Record<string, string> = {}): Promise<StackConfig> =>
  loadStackConfig({ cwd: folder, env: { AZR_DATA_DIR: path.join(folder, 'data'), ...env } });
const start = (lines: string[] = []): Promise<StackStatus> =>
  up({ config, workers: false, onProgress: (line) => lines.push(line) });
const ports = (): StackState['ports'] => stackState().ports;

function stackState(): StackState {
  const state = readState<StackState>(config.dataDir, 'stack');
  if (state === undefined) throw new Error(`no state in ${config.dataDir}`);
  return state;
}

function pidOf(stack: StackStatus, name: string): number {
  const pid = stack.services.find((service) => service.name === name)?.pid;
  if (pid === undefined) throw new Error(`${name} has no process: ${JSON.stringify(stack)}`);
  return pid;
}

function expectRunning(stack: StackStatus): void {
  for (const name of SERVICES)
    expect(
      stack.services.find((service) => service.name === name),
      JSON.stringify(stack, null, 1),
    ).toMatchObject({ state: 'running' });
}

function kafka(): Kafka {
  return new Kafka({
    brokers: [`127.0.0.1:${ports().kafka}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 60, maxRetryTime: 1000 },
  });
}

/** Offset that the next event of the topic will have. */
async function endOfTopic(): Promise<string | undefined> {
  const admin = kafka().admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(TOPIC))[0]?.high;
  } finally {
    await admin.disconnect();
  }
}

async function writeEvent(): Promise<void> {
  const admin = kafka().admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: false });
  await admin.disconnect();
  const producer = kafka().producer();
  await producer.connect();
  await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: 'a fact' }] });
  await producer.disconnect();
}

async function sql(query: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ports().clickhouse}/`, { method: 'POST', body: query });
  const text = (await response.text()).trim();
  expect(response.status, text).toBe(200);
  return text;
}

async function retention(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ports().temporalHttp}/api/v1/namespaces/default`);
  const said = (await response.json()) as { config: { workflowExecutionRetentionTtl: string } };
  return said.config.workflowExecutionRetentionTtl;
}

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

beforeAll(async () => {
  // The supervisor is a process of compiled modules.
  await promisify(execFile)(process.execPath, [path.join(repositoryRoot(), 'scripts/build.mjs')]);
  root = await mkdtemp(path.join(os.tmpdir(), 'azr-stack-'));
  config = await configOf(root);
});

afterAll(async () => {
  await down({ config });
  await rm(root, { recursive: true, force: true });
});

describe('the local stack', () => {
  it('is not there before it is started, and says how to start it', async () => {
    const stack = await status({ config });
    expect(stack.supervisor).toBeUndefined();
    expect(stack.services.every(({ state }) => state === 'stopped')).toBe(true);
    await expect(resolveAddresses(config)).rejects.toThrow('npx azr up');
    await down({ config });
  });

  it('starts real services; asked twice at once it starts them once', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    expectRunning(one);
    expect(two.supervisor).toBe(one.supervisor);
    for (const name of SERVICES) expect(pidOf(two, name)).toBe(pidOf(one, name));
    const addresses = await resolveAddresses(config);
    expect(addresses.kafkaBrokers).toEqual([`127.0.0.1:${ports().kafka}`]);
    await writeEvent();
    await sql('CREATE TABLE kept (x UInt32) ENGINE = MergeTree ORDER BY x');
    await sql('INSERT INTO kept SELECT number FROM numbers(3)');
    // Longer than the dev server's day: a run may be resumed after a week.
    expect(parseInt(await retention(), 10)).toBeGreaterThan(365 * 86_400);
    expect((await fetch(addresses.temporalUiUrl ?? '')).status).toBe(200);
  });

  it('shows its services to the doctor', async () => {
    const { checks } = await doctor(config);
    for (const name of SERVICES)
      expect(checks.find((check) => check.name === `service ${name}`)).toMatchObject({ ok: true });
  });

  it('starts a killed broker again, and its log is whole', async () => {
    const before = pidOf(await status({ config }), 'kafka');
    process.kill(before, 'SIGKILL');
    while ((await status({ config })).services.some(({ pid }) => pid === before)) await sleep(100);
    const after = await start();
    expectRunning(after);
    const broker = after.services.find(({ name }) => name === 'kafka');
    expect(broker?.pid).not.toBe(before);
    expect(broker?.restarts).toBe(1);
    expect(await endOfTopic()).toBe('1');
  });

  it('restarts one service and leaves the others alone', async () => {
    const before = await status({ config });
    await restartService('temporal', { config });
    const after = await status({ config });
    expectRunning(after);
    expect(pidOf(after, 'temporal')).not.toBe(pidOf(before, 'temporal'));
    expect(pidOf(after, 'kafka')).toBe(pidOf(before, 'kafka'));
    const unknown = restartService('kafak', { config });
    await expect(unknown).rejects.toThrow(/"kafak".*accepted are kafka, temporal, clickhouse/);
    await expect(unknown).rejects.toMatchObject({ exitCode: 2 });
  });

  it('does not go on with another configuration', async () => {
    const other = await configOf(root, { AZR_SANDBOX_WORKERS: '2' });
    const refused = up({ config: other, workers: false });
    await expect(refused).rejects.toThrow(/another configuration.*npx azr down/);
    await expect(refused).rejects.toMatchObject({ exitCode: 2 });
  });

  it('ends what a killed supervisor left, and starts anew on the same ports', async () => {
    const before = await status({ config });
    const addresses = await resolveAddresses(config);
    process.kill(before.supervisor ?? NaN, 'SIGKILL');
    while (runningSupervisor(config.dataDir) !== undefined) await sleep(20);
    const orphaned = await status({ config });
    expect(orphaned.supervisor).toBeUndefined();
    expect(orphaned.services.map(({ detail }) => detail ?? '').join()).toContain('3 processes are left');
    const after = await start();
    expectRunning(after);
    for (const name of SERVICES) expect(pidOf(after, name)).not.toBe(pidOf(before, name));
    expect(markedProcesses(stackState().stackId)).toHaveLength(SERVICES.length);
    expect(await resolveAddresses(config)).toEqual(addresses);
    expect(await endOfTopic()).toBe('1');
  });

  it('leaves no process when it is stopped, not even of a killed supervisor', async () => {
    process.kill((await status({ config })).supervisor ?? NaN, 'SIGKILL');
    await down({ config });
    expect(markedProcesses(stackState().stackId)).toEqual([]);
    await start();
    const supervisor = readState<SupervisorState>(config.dataDir, 'supervisor');
    await down({ config });
    expect(markedProcesses(stackState().stackId)).toEqual([]);
    expect(supervisor !== undefined && isAlive(supervisor)).toBe(false);
    expect((await status({ config })).services.every(({ state }) => state === 'stopped')).toBe(true);
  });

  it('comes back with its state, past a port that someone took meanwhile', async () => {
    const before = ports();
    const intruder = await listen(before.kafka);
    try {
      expectRunning(await start());
    } finally {
      await close(intruder);
    }
    expect(ports().kafka).not.toBe(before.kafka);
    expect({ ...ports(), kafka: 0 }).toEqual({ ...before, kafka: 0 });
    expect(await endOfTopic()).toBe('1');
    expect(await sql('SELECT count() FROM kept')).toBe('3');
    await down({ config });
  });
});

describe('what a person can mend is said in a sentence, and nothing is left running', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'azr-refused-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function refusal(given: StackConfig): Promise<{ message: string; exitCode: number }> {
    const error: unknown = await up({ config: given, workers: false }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(runningSupervisor(given.dataDir)).toBeUndefined();
    return error as { message: string; exitCode: number };
  }

  it('a port of the configuration that is in use', async () => {
    const server = await listen(0);
    const { port } = server.address() as AddressInfo;
    try {
      await writeFile(path.join(folder, 'azr.config.yaml'), `ports:\n  temporal: ${port}\n`);
      const { message, exitCode } = await refusal(await configOf(folder));
      expect(message).toContain(`port ${port} (ports.temporal) is in use by process ${process.pid}`);
      expect(exitCode).toBe(4);
    } finally {
      await close(server);
      await rm(path.join(folder, 'azr.config.yaml'));
    }
  });

  it('a data folder that cannot be written', async () => {
    const { message, exitCode } = await refusal(await configOf(folder, { AZR_DATA_DIR: '/proc/azr-data' }));
    expect(message).toContain('the data folder /proc/azr-data cannot be written');
    expect(message).toContain('AZR_DATA_DIR');
    expect(exitCode).toBe(2);
  });

  it('no Java', async () => {
    const { PATH, JAVA_HOME } = process.env;
    process.env['PATH'] = folder;
    delete process.env['JAVA_HOME'];
    try {
      const { message, exitCode } = await refusal(await configOf(folder));
      expect(message).toMatch(/^java \(17 or newer.*neither on PATH nor in JAVA_HOME.*apt-get install/);
      expect(exitCode).toBe(3);
    } finally {
      process.env['PATH'] = PATH;
      if (JAVA_HOME !== undefined) process.env['JAVA_HOME'] = JAVA_HOME;
    }
  });

  it('no Kafka jars', async () => {
    const { AZR_CACHE_DIR } = process.env;
    process.env['AZR_CACHE_DIR'] = folder;
    try {
      const { message, exitCode } = await refusal(await configOf(folder));
      expect(message).toMatch(/Kafka .* jars are not in .*npm start -- --setup-only/);
      expect(exitCode).toBe(3);
    } finally {
      if (AZR_CACHE_DIR === undefined) delete process.env['AZR_CACHE_DIR'];
      else process.env['AZR_CACHE_DIR'] = AZR_CACHE_DIR;
    }
  });

  it('a service elsewhere that does not answer', async () => {
    const server = await listen(0);
    const { port } = server.address() as AddressInfo;
    await close(server);
    const given = await configOf(folder, { AZR_KAFKA_BROKERS: `127.0.0.1:${port}` });
    const { message, exitCode } = await refusal(given);
    expect(message).toContain(`kafka at 127.0.0.1:${port} (named in the configuration) does not answer`);
    expect(exitCode).toBe(4);
    expect((await status({ config: given })).services[0]).toMatchObject({ name: 'kafka', state: 'external' });
  });
});
