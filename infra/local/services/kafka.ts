/**
 * One Kafka node, broker and controller (KRaft). Retention is infinite: the log is the truth. The short session timeout
 * lets a killed broker come back in seconds, since nobody else waits for its fencing.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../../src/config/paths.js';
import type { StackState } from '../../../src/config/stack-state.js';
import { StackError } from '../errors.js';
import type { Java } from '../java.js';
import { kafkaProbe } from '../probes.js';
import { RESTART, type ProcessSpec } from '../process-spec.js';

const run = promisify(execFile);
export const KAFKA_VERSION = '4.4.0';

/** The folder of the broker's jars. @throws StackError where they are not there. */
export function findKafkaJars(): string {
  const folder = path.join(cacheDirectory(), `kafka-${KAFKA_VERSION}`);
  if (!existsSync(folder) || !readdirSync(folder).includes(`kafka_2.13-${KAFKA_VERSION}.jar`))
    throw new StackError(
      `the Kafka ${KAFKA_VERSION} jars are not in ${folder}. Fetch them with: npm start -- --setup-only`,
      'missing',
    );
  return folder;
}

export function kafkaProperties(dataFolder: string, ports: StackState['ports']): string {
  const listeners = `PLAINTEXT://127.0.0.1:${ports.kafka}`;
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
    listeners: `${listeners},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataFolder,
    'log.retention.ms': -1,
    'log.retention.bytes': -1,
    // Learner batches carry thousands of token ids.
    'message.max.bytes': 16 << 20,
    'replica.fetch.max.bytes': 16 << 20,
    'auto.create.topics.enable': false,
    'offsets.retention.minutes': 2_147_483_647,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

export function kafkaSpec(dataDir: string, state: StackState, java: Java): ProcessSpec {
  const folder = path.join(dataDir, 'data', 'kafka');
  const log = path.join(folder, 'log');
  const properties = path.join(folder, 'server.properties');
  const classpath = path.join(findKafkaJars(), '*');
  const logging = [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
  ];
  return {
    name: 'kafka',
    command: java.command,
    args: [
      '-Xmx512m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      ...logging,
      '-cp',
      classpath,
      'kafka.Kafka',
      properties,
    ],
    env: {},
    cwd: folder,
    health: { kind: 'probe', probe: kafkaProbe('127.0.0.1', state.ports.kafka) },
    dependsOn: [],
    ports: [
      { port: state.ports.kafka, key: 'ports.kafka' },
      { port: state.ports.kafkaController, key: 'ports.kafkaController' },
    ],
    address: `127.0.0.1:${state.ports.kafka}`,
    restart: RESTART,
    stopSignal: 'SIGTERM',
    graceMs: 30_000,
    startMs: 120_000,
    prepare: async () => {
      await mkdir(log, { recursive: true });
      await writeFile(properties, kafkaProperties(log, state.ports));
      if (existsSync(path.join(log, 'meta.properties'))) return;
      const format = ['kafka.tools.StorageTool', 'format', '-t', state.kafkaClusterId, '-c', properties];
      await run(java.command, ['-Xmx128m', ...logging, '-cp', classpath, ...format], { timeout: 120_000 });
    },
  };
}

/** The cluster id that the data folder was formatted with; undefined where it is new. */
export function formattedClusterId(dataDir: string): string | undefined {
  const file = path.join(dataDir, 'data', 'kafka', 'log', 'meta.properties');
  return existsSync(file) ? /^cluster\.id=(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.trim() : undefined;
}
