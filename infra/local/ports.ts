/** Loopback ports: chosen once and kept; and who has one that is taken. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { StackConfig } from '../../src/config/stack.js';
import type { StackPorts } from '../../src/config/stack-state.js';
import { StackError } from './errors.js';

/** Below the ephemeral range of Linux (32768 on), so that no outgoing connection takes a port while a service is down. */
const FIRST = 21_000;
const COUNT = 10_000;
export const PORT_KEYS = [
  'kafka',
  'kafkaController',
  'temporal',
  'temporalUi',
  'temporalHttp',
  'clickhouse',
] as const satisfies readonly (keyof StackPorts)[];

/** True when this process could listen on the port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A port for each service: the configuration's (which must be free), else the earlier one if it is free, else the next
 * free one after a place that depends on the data folder alone.
 * @throws StackError naming the port, the key and who listens there.
 */
export async function choosePorts(
  config: Pick<StackConfig, 'dataDir' | 'ports'>,
  earlier: Partial<StackPorts> | undefined,
  free: (port: number) => Promise<boolean> = isFree,
): Promise<StackPorts> {
  const taken = new Set<number>(Object.values(config.ports));
  if (taken.size < Object.keys(config.ports).length)
    throw new StackError(
      `ports in azr.config.yaml names one port twice: ${JSON.stringify(config.ports)}`,
      'usage',
    );
  const chosen: Partial<Record<keyof StackPorts, number>> = {};
  for (const key of PORT_KEYS) {
    const fixed = config.ports[key];
    const before = earlier?.[key];
    if (fixed !== undefined) {
      if (!(await free(fixed))) throw new StackError(portInUse(fixed, `ports.${key}`));
      chosen[key] = fixed;
    } else if (before !== undefined && !taken.has(before) && (await free(before))) {
      taken.add(before);
      chosen[key] = before;
    }
  }
  // New ones last, so that none takes what another service keeps.
  let next = createHash('sha256').update(config.dataDir).digest().readUInt32BE() % COUNT;
  for (const key of PORT_KEYS) {
    for (let tried = 0; chosen[key] === undefined; tried++) {
      if (tried === COUNT)
        throw new StackError(`no free loopback port from ${FIRST} to ${FIRST + COUNT - 1}`);
      const candidate = FIRST + (next++ % COUNT);
      if (taken.has(candidate) || !(await free(candidate))) continue;
      taken.add(candidate);
      chosen[key] = candidate;
    }
  }
  return chosen as StackPorts;
}

export function portInUse(port: number, key: string): string {
  const owner = ownerOfPort(port);
  return `port ${port} (${key}) is in use${owner === undefined ? '' : ` by process ${owner.pid} (${owner.command})`}; end that process, or set ${key} in azr.config.yaml to a free port`;
}

/** Who listens on a TCP port; undefined where that cannot be seen (another user's process). */
export function ownerOfPort(port: number): { pid: number; command: string } | undefined {
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6'])
    try {
      for (const line of readFileSync(file, 'utf8').split('\n').slice(1)) {
        const fields = line.trim().split(/\s+/);
        const LISTEN = '0A';
        if (fields[3] === LISTEN && parseInt(fields[1]?.split(':')[1] ?? '', 16) === port)
          inodes.add(fields[9] ?? '');
      }
    } catch {
      continue; // no IPv6 here
    }
  if (inodes.size === 0) return undefined;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      for (const handle of readdirSync(`/proc/${entry}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${entry}/fd/${handle}`))?.[1];
        if (inode !== undefined && inodes.has(inode))
          return { pid: Number(entry), command: readFileSync(`/proc/${entry}/comm`, 'utf8').trim() };
      }
    } catch {
      continue; // gone meanwhile, or another user's
    }
  }
  return undefined;
}
