/** What a person writes in azr.config.yaml and in AZR_* variables, and the sentence that answers a mistake. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheDirectory, repositoryRoot } from '../../../src/config/paths.js';
import {
  addressesOf,
  environmentOf,
  isExternal,
  loadStackConfig,
  resolveAddresses,
  type StackConfig,
} from '../../../src/config/stack.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function load(yaml?: string, env: Record<string, string> = {}): Promise<StackConfig> {
  if (yaml !== undefined) await writeFile(path.join(folder, 'azr.config.yaml'), yaml);
  return loadStackConfig({ cwd: folder, env });
}

const ELSEWHERE = {
  AZR_KAFKA_BROKERS: 'a.example:9092, b.example:9093',
  AZR_TEMPORAL_ADDRESS: '[::1]:7233',
  AZR_CLICKHOUSE_URL: 'http://ch.example:8123',
};

describe('azr.config.yaml', () => {
  it('is not needed', async () => {
    expect(await load()).toEqual({
      dataDir: path.join(repositoryRoot(), '.azr'),
      kafka: {},
      temporal: { namespace: 'default' },
      clickhouse: { database: 'azr' },
      schemaRegistry: {},
      ports: {},
      threads: { tensorflow: os.availableParallelism(), sandbox: 1 },
      sandbox: { packages: [] },
    });
  });

  it('names its folder relative to itself', async () => {
    expect((await load('dataDir: here/state')).dataDir).toBe(path.join(folder, 'here/state'));
  });

  it('may be empty, and so may a group of it', async () => {
    expect((await load('')).kafka).toEqual({});
    expect((await load('kafka:\n  # brokers: [a:1]\nthreads: {sandbox: 2}\n')).threads.sandbox).toBe(2);
  });

  it.each([
    ['kafak: {}', ['kafak is unknown', 'did you mean kafka?', 'schemaRegistry']],
    ['kafka: {broker: [a:1]}', ['kafka.broker is unknown', 'did you mean brokers?']],
    ['ports: {clikhouse: 9000}', ['ports.clikhouse is unknown', 'did you mean clickhouse?']],
    ['ports: {kafka: 80}', ['ports.kafka is 80', '1024 to 65535']],
    ['ports: {kafka: "9092"}', ['ports.kafka is "9092"', 'number']],
    ['threads: {sandbox: 0}', ['threads.sandbox is 0', 'integers from 1']],
    ['threads: {tensorflow: 1.5}', ['threads.tensorflow is 1.5', 'int']],
    ['kafka: {brokers: [nowhere]}', ['"nowhere"', 'host:port']],
    ['kafka: {brokers: []}', ['kafka.brokers is []', 'host:port']],
    ['kafka: 5', ['kafka is 5', 'object']],
    ['temporal: {address: "http://x:1"}', ['temporal.address is "http://x:1"', 'host:port']],
    ['clickhouse: {url: "ftp://x"}', ['clickhouse.url is "ftp://x"', 'http://127.0.0.1:8123']],
    ['clickhouse: {database: "a; drop"}', ['clickhouse.database is "a; drop"', 'identifier']],
    ['- a', ['no mapping']],
  ])('%s is answered with the key, the value and what is accepted', async (yaml, words) => {
    const refused = load(yaml);
    for (const word of ['azr.config.yaml', ...words]) await expect(refused).rejects.toThrow(word);
  });

  it('that is no YAML is answered with line and column', async () => {
    await expect(load('dataDir: x\nkafka: [a\nports: {}\n')).rejects.toThrow(
      /line 3, column \d+ is not YAML/,
    );
  });

  it('that is named but absent is named in the answer', async () => {
    await expect(loadStackConfig({ file: 'none.yaml', cwd: folder, env: {} })).rejects.toThrow(
      `${path.join(folder, 'none.yaml')} does not exist`,
    );
  });
});

describe('AZR_* variables', () => {
  it('override the file', async () => {
    const config = await load('kafka: {brokers: [x:1]}\nthreads: {sandbox: 4}', {
      ...ELSEWHERE,
      AZR_DATA_DIR: 'data',
      AZR_SANDBOX_WORKERS: '3',
    });
    expect(config.kafka.brokers).toEqual(['a.example:9092', 'b.example:9093']);
    expect(config.threads.sandbox).toBe(3);
    expect(config.dataDir).toBe(path.join(folder, 'data'));
    expect(isExternal(config)).toBe(true);
  });

  it('count as absent when they are empty', async () => {
    expect((await load(undefined, { AZR_KAFKA_BROKERS: '', AZR_CONFIG: '' })).kafka).toEqual({});
  });

  it.each([
    ['AZR_KAFKA_BROKERS', 'broker', 'host:port'],
    ['AZR_TEMPORAL_ADDRESS', 'a:b: c', 'host:port'],
    ['AZR_TENSORFLOW_THREADS', 'many', 'number'],
    ['AZR_SANDBOX_WORKERS', '1000', '256'],
    ['AZR_CLICKHOUSE_URL', '127.0.0.1:8123', 'http://127.0.0.1:8123'],
  ])('%s=%s is answered with its name, the value and what is accepted', async (variable, text, accepted) => {
    const refused = load(undefined, { [variable]: text });
    await expect(refused).rejects.toThrow(`${variable} is ${JSON.stringify(text)}: `);
    await expect(refused).rejects.toThrow(accepted);
  });

  it('never show a password', async () => {
    const refused = load('clickhouse: {password: 123456}');
    await expect(refused).rejects.toThrow('clickhouse.password');
    await expect(refused).rejects.not.toThrow('123456');
  });
});

describe('addresses', () => {
  it('of an external stack need no running one', async () => {
    const config = await load('clickhouse: {username: "u@x", password: "p/w"}', ELSEWHERE);
    expect(await resolveAddresses(config)).toEqual({
      kafkaBrokers: ['a.example:9092', 'b.example:9093'],
      temporalAddress: '[::1]:7233',
      temporalNamespace: 'default',
      clickhouseUrl: 'http://u%40x:p%2Fw@ch.example:8123/',
      clickhouseDatabase: 'azr',
    });
  });

  it('of a local stack that does not run: the command that starts it, exit code 4', async () => {
    const config = await load(undefined, { AZR_DATA_DIR: folder });
    await expect(resolveAddresses(config)).rejects.toThrow(/no local stack runs in .*npx azr up/);
    await expect(resolveAddresses(config)).rejects.toMatchObject({ exitCode: 4 });
  });

  it('handed on as variables load as the same addresses', async () => {
    const ports = {
      kafka: 1,
      kafkaController: 2,
      temporal: 3,
      temporalUi: 4,
      temporalHttp: 5,
      clickhouse: 6,
    };
    const config = await load(undefined, { AZR_DATA_DIR: folder, AZR_SANDBOX_WORKERS: '2' });
    const addresses = addressesOf(config, { stackId: 's', kafkaClusterId: 'c', ports });
    expect(addresses.temporalUiUrl).toBe('http://127.0.0.1:4');
    const there = await load(undefined, environmentOf(config, addresses));
    expect(await resolveAddresses(there)).toEqual(addresses);
    expect([there.dataDir, there.threads]).toEqual([config.dataDir, config.threads]);
  });
});

describe('the cache folder', () => {
  it('is absolute, and an empty variable counts as none', () => {
    expect(cacheDirectory({ AZR_CACHE_DIR: 'c' })).toBe(path.resolve('c'));
    expect(cacheDirectory({ AZR_CACHE_DIR: '', XDG_CACHE_HOME: '/x' })).toBe('/x/absolute-zero');
    expect(cacheDirectory({ XDG_CACHE_HOME: '' })).toBe(path.join(os.homedir(), '.cache/absolute-zero'));
  });
});
