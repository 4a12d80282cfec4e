/**
 * The local stack: Kafka, Temporal, ClickHouse and the workers as native processes under one detached supervisor. State is
 * kept in the data folder: `data/` (the services'), `state/` (ports, supervisor), `logs/`, and survives `down`.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../../src/config/paths.js';
import { loadStackConfig, type StackConfig } from '../../src/config/stack.js';
import {
  isAlive,
  readState,
  runningSupervisor,
  stateFile,
  type StackState,
  type SupervisorState,
} from '../../src/config/stack-state.js';
import { askSupervisor, type ControlStatus } from './control.js';
import { StackError } from './errors.js';
import { endLeftovers, findLeftovers } from './leftovers.js';
import { withLock } from './lock.js';
import { lastLines } from './logs.js';
import { externalServices, fingerprintOf, localServices, prepareState, processSpecs } from './plan.js';
import { endProcesses, waitForEnd } from './processes.js';
import { WORKER_NAMES } from './services/workers.js';
import { ensureDataFolders, logFile, removeState, writeState } from './state-files.js';
import type { ServiceStatus, StackStatus } from './status.js';

export { doctor, type DoctorCheck, type DoctorReport } from './doctor.js';
export { StackError } from './errors.js';
export type { ServiceState, ServiceStatus, StackStatus } from './status.js';

export interface StackOptions {
  /** Default: azr.config.yaml and the AZR_* variables. */
  readonly config?: StackConfig;
  /** Lines for people. */
  readonly onProgress?: (line: string) => void;
}

export interface UpOptions extends StackOptions {
  /** False: only the services. Default true. */
  readonly workers?: boolean;
}

const SUPERVISOR_START_MS = 60_000;
/** Longer than the longest start of a service followed by that of a worker. */
const UP_MS = 360_000;
const DOWN_MS = 120_000;
const EXTERNAL_MS = 5000;

/**
 * Starts what of the stack is not running and waits until it is healthy. Idempotent; one at a time.
 * @throws StackError (exitCode 2, 3, 4) naming what is wrong and what to do.
 */
export async function up(options: UpOptions = {}): Promise<StackStatus> {
  const config = options.config ?? (await loadStackConfig());
  const progress = options.onProgress ?? (() => undefined);
  const workers = options.workers ?? true;
  ensureDataFolders(config.dataDir);
  return withLock(
    config.dataDir,
    async () => {
      await requireExternal(config);
      const names = [...localServices(config), ...(workers ? WORKER_NAMES : [])];
      let supervisor = runningSupervisor(config.dataDir);
      if (supervisor !== undefined) {
        const { fingerprint } = await askSupervisor(supervisor, '/status');
        if (isOlderThanBuild(config.dataDir))
          progress('the running stack has older code than dist/; npx azr down, then npx azr up renews it');
        if (fingerprint !== fingerprintOf(config))
          throw new StackError(
            `the stack in ${config.dataDir} runs with another configuration. Stop it first: npx azr down, then again: npx azr up`,
            'usage',
          );
      } else {
        await endLeftovers(config.dataDir, progress);
        const state = await prepareState(config);
        await processSpecs(config, state); // what is missing is said here, not in a log
        writeState(config.dataDir, 'plan', config);
        removeState(config.dataDir, 'children');
        supervisor = await startSupervisor(config.dataDir);
      }
      await askSupervisor(supervisor, '/start', { names });
      await waitUntilRunning(config, supervisor, names, progress);
      return status({ config });
    },
    () => progress('another process is starting or stopping this stack; waiting for it'),
  );
}

/** Stops the stack and waits until no process of it is left. State is kept. Idempotent. */
export async function down(options: StackOptions = {}): Promise<void> {
  const config = options.config ?? (await loadStackConfig());
  const progress = options.onProgress ?? (() => undefined);
  const { dataDir } = config;
  if (readState<StackState>(dataDir, 'stack') === undefined) {
    progress('the local stack is not running');
    return;
  }
  await withLock(
    dataDir,
    async () => {
      const supervisor = runningSupervisor(dataDir);
      const left = supervisor === undefined ? findLeftovers(dataDir) : [];
      if (supervisor === undefined && left.length === 0) {
        progress('the local stack is not running');
        return;
      }
      if (supervisor !== undefined) {
        progress('stopping the local stack');
        const asked = await askSupervisor(supervisor, '/down').then(
          () => true,
          () => false,
        );
        if (!asked || !(await waitForEnd([supervisor], DOWN_MS))) await endProcesses([supervisor], 5000);
      }
      await endLeftovers(dataDir, progress);
      removeState(dataDir, 'children');
      removeState(dataDir, 'supervisor');
      progress('the local stack is stopped; its state is kept');
    },
    () => progress('another process is starting or stopping this stack; waiting for it'),
  );
}

/** What runs, where it answers, since when. Never throws for a stack that does not run. */
export async function status(options: StackOptions = {}): Promise<StackStatus> {
  const config = options.config ?? (await loadStackConfig());
  const external = await Promise.all(
    externalServices(config).map(async ({ name, address, probe }): Promise<ServiceStatus> => {
      const fault = await reasonOf(probe);
      return {
        name,
        state: 'external',
        address,
        restarts: 0,
        ...(fault === undefined ? {} : { detail: `does not answer: ${fault}` }),
      };
    }),
  );
  const supervisor = runningSupervisor(config.dataDir);
  if (supervisor !== undefined) {
    const { services } = await askSupervisor(supervisor, '/status');
    return { dataDir: config.dataDir, supervisor: supervisor.pid, services: [...external, ...services] };
  }
  const left = findLeftovers(config.dataDir).length;
  const detail =
    left === 0
      ? {}
      : { detail: `${left} processes are left of a killed supervisor; npx azr up or npx azr down ends them` };
  return {
    dataDir: config.dataDir,
    services: [
      ...external,
      ...[...localServices(config), ...WORKER_NAMES].map((name, i): ServiceStatus => ({
        name,
        state: 'stopped',
        restarts: 0,
        ...(i === 0 ? detail : {}),
      })),
    ],
  };
}

/** Stops one process of the running stack and starts it again. @throws StackError where the name is unknown or nothing runs. */
export async function restartService(name: string, options: StackOptions = {}): Promise<void> {
  const config = options.config ?? (await loadStackConfig());
  const supervisor = runningSupervisor(config.dataDir);
  if (supervisor === undefined)
    throw new StackError(`no local stack runs in ${config.dataDir}. Start it with: npx azr up`);
  await askSupervisor(supervisor, '/restart', { name });
  await waitUntilRunning(config, supervisor, [name], options.onProgress ?? (() => undefined));
}

/** Why a service does not answer; undefined where it does. */
async function reasonOf(probe: (signal: AbortSignal) => Promise<void>): Promise<string | undefined> {
  try {
    await probe(AbortSignal.timeout(EXTERNAL_MS));
    return undefined;
  } catch (error) {
    const { cause } = error as Error;
    return cause instanceof Error ? cause.message : (error as Error).message;
  }
}

/** Its processes were started from the modules of an earlier build, or may have been. */
function isOlderThanBuild(dataDir: string): boolean {
  const stamp = statSync(path.join(repositoryRoot(), 'dist/.built'), { throwIfNoEntry: false });
  // Written once, when the supervisor is ready.
  const started = statSync(stateFile(dataDir, 'supervisor'), { throwIfNoEntry: false });
  return stamp !== undefined && started !== undefined && stamp.mtimeMs > started.mtimeMs;
}

async function requireExternal(config: StackConfig): Promise<void> {
  for (const { name, address, probe } of externalServices(config)) {
    const fault = await reasonOf(probe);
    if (fault !== undefined)
      throw new StackError(
        `${name} at ${address} (named in the configuration) does not answer: ${fault}. Start it, or remove the address to have a local one`,
      );
  }
}

async function startSupervisor(dataDir: string): Promise<SupervisorState> {
  const program = path.join(repositoryRoot(), 'dist/infra/local/supervisor-main.js');
  if (!existsSync(program))
    throw new StackError(`${program} is missing. Build it with: npm run build`, 'missing');
  const file = logFile(dataDir, 'supervisor');
  const log = openSync(file, 'a', 0o600);
  const child = spawn(process.execPath, [program, '--data-dir', dataDir], {
    cwd: repositoryRoot(),
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let ended = false;
  child.once('exit', () => (ended = true));
  child.unref();
  const deadline = performance.now() + SUPERVISOR_START_MS;
  while (performance.now() < deadline) {
    const state = runningSupervisor(dataDir);
    if (state !== undefined) return state;
    if (ended) break;
    await sleep(50);
  }
  throw new StackError(`the supervisor did not start: ${lastLines(file, 3).join(' | ')} (log: ${file})`);
}

async function waitUntilRunning(
  config: StackConfig,
  supervisor: SupervisorState,
  names: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  const began = performance.now();
  const told = new Map<string, string>();
  for (;;) {
    if (!isAlive(supervisor))
      throw new StackError(
        `the supervisor ended: ${lastLines(logFile(config.dataDir, 'supervisor'), 2).join(' | ')}`,
      );
    const { services }: ControlStatus = await askSupervisor(supervisor, '/status');
    const wanted = services.filter(({ name }) => names.includes(name));
    for (const service of wanted) {
      const line = describe(service);
      if (told.get(service.name) === line) continue;
      // What was running before needs no line.
      const atOnce =
        told.size < wanted.length && service.state === 'running' && performance.now() - began < 100;
      told.set(service.name, line);
      if (!atOnce) progress(line);
    }
    if (wanted.every(({ state }) => state === 'running')) {
      progress(wanted.length === 1 ? '1 process is running' : `${wanted.length} processes are running`);
      return;
    }
    const failed = wanted.filter(({ state }) => state === 'failed');
    const late = performance.now() - began > UP_MS;
    if (failed.length > 0 || late) {
      const bad = failed.length > 0 ? failed : wanted.filter(({ state }) => state !== 'running');
      throw new StackError(
        bad
          .map(
            ({ name, detail }) =>
              `${name} ${detail ?? `is not running after ${UP_MS / 60_000} minutes (log: ${logFile(config.dataDir, name)})`}`,
          )
          .join('\n     '),
      );
    }
    await sleep(200);
  }
}

function describe({ name, state, address, detail }: ServiceStatus): string {
  if (state === 'running') return `${name}: running${address === undefined ? '' : ` on ${address}`}`;
  return `${name}: ${state}${detail === undefined ? '' : ` (${detail})`}`;
}
