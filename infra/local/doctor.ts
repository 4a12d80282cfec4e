/** `azr doctor`: everything that a run needs, what was found, and what to do about what is missing. */
import { existsSync, statfsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../../src/config/paths.js';
import { loadStackConfig, type StackConfig } from '../../src/config/stack.js';
import { runningSupervisor } from '../../src/config/stack-state.js';
import { createPolicyEngine } from '../../src/policy/index.js';
import { backendText } from '../../src/policy/port.js';
import { askSupervisor, type ControlStatus } from './control.js';
import { findJava } from './java.js';
import { externalServices } from './plan.js';
import { findKafkaJars } from './services/kafka.js';
import { findTemporal } from './services/temporal.js';
import { ensureDataFolders } from './state-files.js';

export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What mends it. */
  readonly remedy?: string;
}

export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
}

const COMPOSE = 'docker compose -f infra/docker-compose.yml up';
const SETUP = 'npm start -- --setup-only';
const MIN_DISK_GIB = 5;
const MIN_MEMORY_GIB = 4;

/** @param given the configuration; default: azr.config.yaml and the AZR_* variables. */
export async function doctor(given?: StackConfig): Promise<DoctorReport> {
  const config = given ?? (await loadStackConfig());
  return {
    checks: [
      systemCheck(),
      nodeCheck(),
      ...(config.kafka.brokers === undefined ? [await javaCheck(), kafkaCheck()] : []),
      ...(config.temporal.address === undefined ? [temporalCheck()] : []),
      ...(config.clickhouse.url === undefined ? [clickhouseCheck()] : []),
      await sandboxCheck(),
      tensorflowCheck(),
      await backendCheck(),
      folderCheck(config),
      diskCheck(config),
      memoryCheck(),
      threadsCheck(config),
      ...(await serviceChecks(config)),
    ],
  };
}

function systemCheck(): DoctorCheck {
  const detail = `${process.platform} ${process.arch}, ${os.release()}`;
  const ok = process.platform === 'linux';
  return ok
    ? { name: 'system', ok, detail }
    : { name: 'system', ok, detail: `${detail}; accepted is linux (user namespaces)`, remedy: COMPOSE };
}

function nodeCheck(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'Node',
    ok,
    detail: `${process.version}; accepted is 20.19 or newer`,
    remedy: 'install Node 20.19 or newer from https://nodejs.org',
  };
}

/** The text of an error as a failed check: its first sentence is what, the rest is the remedy. */
function failed(name: string, error: unknown): DoctorCheck {
  const { message } = error as Error;
  const [detail = message, ...remedy] = message.split('. ');
  return { name, ok: false, detail, remedy: remedy.length === 0 ? SETUP : remedy.join('. ') };
}

async function javaCheck(): Promise<DoctorCheck> {
  try {
    const { command, major } = await findJava();
    return { name: 'Java', ok: true, detail: `${major} at ${command}` };
  } catch (error) {
    return failed('Java', error);
  }
}

function kafkaCheck(): DoctorCheck {
  try {
    return { name: 'Kafka', ok: true, detail: `jars in ${findKafkaJars()}` };
  } catch (error) {
    return failed('Kafka', error);
  }
}

function temporalCheck(): DoctorCheck {
  try {
    return { name: 'Temporal', ok: true, detail: findTemporal() };
  } catch (error) {
    return failed('Temporal', error);
  }
}

function clickhouseCheck(): DoctorCheck {
  const folder = path.join(repositoryRoot(), 'node_modules', 'chdb');
  const ok = existsSync(folder);
  return {
    name: 'ClickHouse',
    ok,
    detail: ok ? 'embedded engine (chdb) is installed' : `${folder} is missing`,
    remedy: SETUP,
  };
}

/** Really starts the isolation and an interpreter in it. */
async function sandboxCheck(): Promise<DoctorCheck> {
  const { checkIsolation } = await import('../../src/sandbox/index.js');
  const found = await checkIsolation();
  return found.ok
    ? {
        name: 'sandbox',
        ok: true,
        detail: `Python ${found.interpreter.version} starts in isolation (${found.interpreter.isolation})`,
      }
    : { name: 'sandbox', ok: false, detail: `${found.missing} is missing`, remedy: found.remedy };
}

function tensorflowCheck(): DoctorCheck {
  const folder = path.join(repositoryRoot(), 'node_modules', '@tensorflow', 'tfjs-node-gpu');
  const missing = [
    path.join(folder, 'deps/lib/libtensorflow.so'),
    path.join(folder, 'lib/napi-v8/tfjs_binding.node'),
  ].filter((file) => !existsSync(file));
  return {
    name: 'TensorFlow',
    ok: missing.length === 0,
    detail: missing.length === 0 ? 'library and addon are in place' : `${missing.join(', ')} missing`,
    remedy: SETUP,
  };
}

/** Really starts the engine: what it would run on, and why. */
async function backendCheck(): Promise<DoctorCheck> {
  const name = 'policy engine';
  try {
    const engine = await createPolicyEngine({ threads: 1 });
    const { backend, device } = engine.backend;
    const detail = `${backend} on the ${device.toUpperCase()}: ${backendText(engine.backend)}`;
    await engine.close();
    return { name, ok: true, detail };
  } catch (error) {
    return failed(name, error);
  }
}

function folderCheck({ dataDir }: StackConfig): DoctorCheck {
  try {
    ensureDataFolders(dataDir);
    return { name: 'data folder', ok: true, detail: `${dataDir} is writable` };
  } catch (error) {
    return failed('data folder', error);
  }
}

function diskCheck({ dataDir }: StackConfig): DoctorCheck {
  const folder = existsSync(dataDir) ? dataDir : os.tmpdir();
  const { bavail, bsize } = statfsSync(folder);
  const free = (bavail * bsize) / 2 ** 30;
  return {
    name: 'disk',
    ok: free >= MIN_DISK_GIB,
    detail: `${free.toFixed(1)} GiB free in ${folder}; wanted are ${MIN_DISK_GIB}`,
    remedy: 'free some space, or name another folder with AZR_DATA_DIR',
  };
}

function memoryCheck(): DoctorCheck {
  const total = os.totalmem() / 2 ** 30;
  return {
    name: 'memory',
    ok: total >= MIN_MEMORY_GIB,
    detail: `${total.toFixed(1)} GiB, ${(os.freemem() / 2 ** 30).toFixed(1)} free; the stack takes about 2.5`,
    remedy: 'run services elsewhere and name their addresses in azr.config.yaml',
  };
}

function threadsCheck({ threads }: StackConfig): DoctorCheck {
  const cores = os.availableParallelism();
  return {
    name: 'cores',
    ok: threads.tensorflow <= cores && threads.sandbox <= Math.max(cores, 1),
    detail: `${cores} cores; threads: TensorFlow (rollout, learner, evaluate) ${threads.tensorflow}, sandbox interpreters ${threads.sandbox}`,
    remedy: `set threads.tensorflow and threads.sandbox to ${cores} at most`,
  };
}

async function serviceChecks(config: StackConfig): Promise<DoctorCheck[]> {
  const external = await Promise.all(
    externalServices(config).map(async ({ name, address, probe }): Promise<DoctorCheck> => {
      try {
        await probe(AbortSignal.timeout(5000));
        return { name: `service ${name}`, ok: true, detail: `answers at ${address}` };
      } catch (error) {
        return {
          name: `service ${name}`,
          ok: false,
          detail: `${address} does not answer: ${(error as Error).message}`,
          remedy: 'start it, or remove its address from the configuration to have a local one',
        };
      }
    }),
  );
  const supervisor = runningSupervisor(config.dataDir);
  if (supervisor === undefined)
    return [...external, { name: 'local stack', ok: true, detail: 'not running; npx azr up starts it' }];
  let services: ControlStatus['services'];
  try {
    ({ services } = await askSupervisor(supervisor, '/status'));
  } catch (error) {
    return [...external, failed('local stack', error)];
  }
  return [
    ...external,
    ...services.map(({ name, state, address, detail }) => ({
      name: `service ${name}`,
      ok: state !== 'failed',
      detail: [state, address, detail].filter((part) => part !== undefined).join(', '),
      remedy: `see ${path.join(config.dataDir, 'logs', `${name}.log`)}; then: npx azr up`,
    })),
  ];
}
