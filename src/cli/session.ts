/** What a command needs of the outside: the stack's addresses, a Temporal client. */
import { Client, Connection } from '@temporalio/client';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ServiceAddresses } from '../config/addresses.js';
import { repositoryRoot } from '../config/paths.js';
import { loadStackConfig, resolveAddresses, type StackConfig } from '../config/stack.js';

export interface Session {
  readonly config: StackConfig;
  readonly addresses: ServiceAddresses;
}

export async function openSession(): Promise<Session> {
  const config = await loadStackConfig();
  return { config, addresses: await resolveAddresses(config) };
}

export async function withTemporal<T>(
  addresses: ServiceAddresses,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: addresses.temporalAddress });
  try {
    return await work(new Client({ connection, namespace: addresses.temporalNamespace }));
  } finally {
    await connection.close();
  }
}

/** Package version and, in a checkout, the commit: recorded in every event. */
export function codeVersion(): string {
  const root = repositoryRoot();
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  try {
    const commit = execFileSync('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return `${version}+${commit}`;
  } catch {
    return version;
  }
}
