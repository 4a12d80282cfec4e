/** Which processes a configuration asks for, and which services it has elsewhere. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { addressesOf, environmentOf, isExternal, type StackConfig } from '../../src/config/stack.js';
import { readState, type StackState } from '../../src/config/stack-state.js';
import { findJava } from './java.js';
import { choosePorts } from './ports.js';
import { anyProbe, httpProbe, splitAddress, tcpProbe } from './probes.js';
import type { Probe, ProcessSpec } from './process-spec.js';
import { clickhouseSpec } from './services/clickhouse.js';
import { formattedClusterId, kafkaSpec } from './services/kafka.js';
import { temporalSpec } from './services/temporal.js';
import { workerSpecs } from './services/workers.js';
import { writeState } from './state-files.js';

/** A service that the configuration names: used, not started. */
export interface ExternalService {
  readonly name: string;
  readonly address: string;
  readonly probe: Probe;
}

export function externalServices(config: StackConfig): ExternalService[] {
  const services: ExternalService[] = [];
  const { brokers } = config.kafka;
  if (brokers !== undefined) {
    const probes = brokers.map(splitAddress).map(({ host, port }) => tcpProbe(host, port));
    services.push({ name: 'kafka', address: brokers.join(','), probe: anyProbe(probes) });
  }
  if (config.temporal.address !== undefined) {
    const { host, port } = splitAddress(config.temporal.address);
    services.push({ name: 'temporal', address: config.temporal.address, probe: tcpProbe(host, port) });
  }
  if (config.clickhouse.url !== undefined)
    services.push({
      name: 'clickhouse',
      address: config.clickhouse.url,
      probe: httpProbe(new URL('/ping', config.clickhouse.url).href),
    });
  if (config.schemaRegistry.url !== undefined)
    services.push({
      name: 'schema-registry',
      address: config.schemaRegistry.url,
      probe: httpProbe(new URL('subjects', withSlash(config.schemaRegistry.url)).href),
    });
  return services;
}

const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

/** Names of the services that are started here, in the order of the table. */
export function localServices(config: StackConfig): string[] {
  return [
    ...(config.kafka.brokers === undefined ? ['kafka'] : []),
    ...(config.temporal.address === undefined ? ['temporal'] : []),
    ...(config.clickhouse.url === undefined ? ['clickhouse'] : []),
  ];
}

/** Digest of a configuration: a supervisor that runs another one must be told. */
export function fingerprintOf(config: StackConfig): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex');
}

/** Ports and ids of the stack, the earlier ones where they still hold, written to the state folder. */
export async function prepareState(config: StackConfig): Promise<StackState> {
  const earlier = readState<StackState>(config.dataDir, 'stack');
  const state: StackState = {
    stackId: earlier?.stackId ?? randomUUID(),
    kafkaClusterId:
      formattedClusterId(config.dataDir) ??
      earlier?.kafkaClusterId ??
      randomBytes(16).toString('base64url').replace(/^-/, 'A'),
    ports:
      isExternal(config) && earlier !== undefined ? earlier.ports : await choosePorts(config, earlier?.ports),
  };
  writeState(config.dataDir, 'stack', state);
  return state;
}

/**
 * The processes of a configuration, services first.
 * @throws StackError where a program that one of them needs is missing.
 */
export async function processSpecs(config: StackConfig, state: StackState): Promise<ProcessSpec[]> {
  const services: ProcessSpec[] = [];
  if (config.kafka.brokers === undefined) services.push(kafkaSpec(config.dataDir, state, await findJava()));
  if (config.temporal.address === undefined) services.push(temporalSpec(config, state));
  if (config.clickhouse.url === undefined) services.push(clickhouseSpec(config.dataDir, state));
  const env = environmentOf(config, addressesOf(config, state));
  return [
    ...services,
    ...workerSpecs(
      env,
      services.map((service) => service.name),
    ),
  ];
}
