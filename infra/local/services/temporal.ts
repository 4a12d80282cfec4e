/**
 * The Temporal dev server with its web UI and a file database. Its polling defaults are for idle laptops (50 to 140 ms an
 * activity); with the settings here an activity in sequence takes about 18 ms.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from '../../../src/config/paths.js';
import type { StackConfig } from '../../../src/config/stack.js';
import type { StackState } from '../../../src/config/stack-state.js';
import { StackError } from '../errors.js';
import { httpProbe } from '../probes.js';
import { RESTART, type ProcessSpec } from '../process-spec.js';
import { findOnPath } from '../programs.js';

export const TEMPORAL_VERSION = '1.9.1';
/** Ten years: a run may be resumed, and its history read, long after it ended. */
const RETENTION = '315360000s';

/** The pinned program of the cache, else `temporal` on PATH. @throws StackError where there is neither. */
export function findTemporal(env: NodeJS.ProcessEnv = process.env): string {
  const cached = path.join(cacheDirectory(), `temporal-${TEMPORAL_VERSION}`, 'temporal');
  const found = existsSync(cached) ? cached : findOnPath('temporal', env['PATH']);
  if (found !== undefined) return found;
  throw new StackError(
    `the Temporal program is neither ${cached} nor on PATH. Fetch it with: npm start -- --setup-only`,
    'missing',
  );
}

export function temporalSpec(
  config: StackConfig,
  { ports }: StackState,
  command = findTemporal(),
): ProcessSpec {
  const folder = path.join(config.dataDir, 'data', 'temporal');
  const { namespace } = config.temporal;
  const api = `http://127.0.0.1:${ports.temporalHttp}/api/v1/namespaces/${namespace}`;
  const options = {
    'db-filename': path.join(folder, 'temporal.db'),
    ip: '127.0.0.1',
    port: ports.temporal,
    'ui-port': ports.temporalUi,
    'http-port': ports.temporalHttp,
    namespace,
    'log-level': 'warn',
  };
  const dynamic = ['history.transferProcessorMaxPollRPS=2000', 'history.timerProcessorMaxPollRPS=2000'];
  return {
    name: 'temporal',
    command,
    args: [
      'server',
      'start-dev',
      ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]),
      ...['journal_mode=WAL', 'synchronous=NORMAL'].flatMap((pragma) => ['--sqlite-pragma', pragma]),
      ...dynamic.flatMap((pair) => ['--dynamic-config-value', pair]),
    ],
    env: {},
    cwd: folder,
    health: { kind: 'probe', probe: httpProbe(api) },
    dependsOn: [],
    ports: [
      { port: ports.temporal, key: 'ports.temporal' },
      { port: ports.temporalUi, key: 'ports.temporalUi' },
      { port: ports.temporalHttp, key: 'ports.temporalHttp' },
    ],
    address: `127.0.0.1:${ports.temporal} (web: http://127.0.0.1:${ports.temporalUi})`,
    restart: RESTART,
    stopSignal: 'SIGTERM',
    graceMs: 15_000,
    startMs: 60_000,
    prepare: async () => {
      await mkdir(folder, { recursive: true });
    },
    onHealthy: async () => {
      const response = await fetch(`${api}/update`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ config: { workflowExecutionRetentionTtl: RETENTION } }),
        signal: AbortSignal.timeout(20_000),
      });
      if (!response.ok)
        throw new Error(`setting the namespace's retention: ${response.status} ${await response.text()}`);
    },
  };
}
