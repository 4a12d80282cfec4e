/** A real schema registry for tests: its own process on a free loopback port, in memory. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { findJava } from '../../infra/local/java.js';
import { repositoryRoot } from '../../src/config/paths.js';

export interface TestRegistry {
  /** The Confluent-compatible interface. */
  readonly url: string;
  end(): Promise<void>;
}

interface Bootstrap {
  readonly ensureSchemaRegistry: (options: { cacheDir: string }) => Promise<string>;
}

const script = async <T>(name: string): Promise<T> =>
  (await import(pathToFileURL(path.join(repositoryRoot(), 'scripts/bootstrap', name)).href)) as T;

/** @returns the reason where its program cannot be had; a registry that does not start is an error. */
export async function startRegistry(): Promise<TestRegistry | string> {
  const { cacheDirectory } = await script<{ cacheDirectory: () => string }>('cache.mjs');
  const { ensureSchemaRegistry } = await script<Bootstrap>('schema-registry.mjs');
  let jar: string;
  try {
    jar = await ensureSchemaRegistry({ cacheDir: cacheDirectory() });
  } catch (error) {
    return `the schema registry cannot be fetched: ${(error as Error).message}`;
  }
  const java = await findJava();
  const port = await freePort();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-registry-'));
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': String(port),
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': `jdbc:h2:file:${path.join(folder, 'registry')}`,
  };
  const child = spawn(
    java.command,
    [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      ...Object.entries(settings).map(([k, v]) => `-D${k}=${v}`),
      '-jar',
      jar,
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-4_000)));
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = (): boolean => child.kill('SIGKILL');
  process.once('exit', stop);
  const end = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(stop, 10_000);
    await over;
    clearTimeout(late);
    process.removeListener('exit', stop);
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  for (let waited = 0; waited < 180_000; waited += 250) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    const answer = await fetch(`${url}/subjects`).catch(() => undefined);
    if (answer?.ok === true) return { url, end };
    await sleep(250);
  }
  await end();
  throw new Error(`the schema registry does not start: ${said}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
