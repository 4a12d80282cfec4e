/**
 * A worker process: the roles it was given, each a Temporal worker on its queue, over shared dependencies. Role `sink`
 * is no Temporal worker: it moves facts from Kafka into ClickHouse until it is told to stop.
 */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, DefaultLogger, Worker } from '@temporalio/worker';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { runSink } from '../../pipelines/sink.js';
import type { ServiceAddresses } from '../config/addresses.js';
import { UsageError } from '../config/errors.js';
import { createPolicyEngine } from '../policy/index.js';
import type { PolicyEngine } from '../policy/port.js';
import { createSandbox } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import { TASK_QUEUES } from '../../workflows/steps.js';
import { bufferPolicy, BufferViews } from './buffer-view.js';
import { createCodecs } from './codecs.js';
import { evaluateSteps, learnerSteps, orchestrateSteps, rolloutSteps, sandboxSteps } from './index.js';
import { RunConfigs } from './run-configs.js';

export const ROLES = ['orchestrate', 'rollout', 'sandbox', 'learner', 'evaluate', 'sink'] as const;
export type WorkerRole = (typeof ROLES)[number];

export interface WorkerOptions {
  readonly roles: readonly WorkerRole[];
  readonly addresses: ServiceAddresses;
  /** Root folder of checkpoints. */
  readonly checkpoints: string;
  readonly codeVersion: string;
  /** Threads of the TensorFlow engine. */
  readonly tensorflowThreads: number;
  readonly sandboxWorkers: number;
  /** Packages that programs may import (sandbox/packages.ts). */
  readonly sandboxPackages: readonly string[];
  readonly unsafeNoIsolation: boolean;
  /** Ends the worker gracefully. */
  readonly signal: AbortSignal;
  readonly onReady: () => void;
  /** Something went wrong that is tried again. */
  readonly onError: (error: Error) => void;
}

export function parseRoles(text: string): WorkerRole[] {
  return text.split(',').map((part) => {
    const role = ROLES.find((known) => known === part.trim());
    if (role === undefined)
      throw new UsageError(
        `--role holds ${JSON.stringify(part.trim())}; accepted are ${ROLES.join(', ')}, joined by commas`,
      );
    return role;
  });
}

/** Runs until the signal fires. Rejects when a dependency cannot be had. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { addresses, codeVersion, signal } = options;
  const temporalRoles = options.roles.filter((role) => role !== 'sink');
  const onlySink = temporalRoles.length === 0;
  const sink = options.roles.includes('sink')
    ? runSink({
        addresses,
        signal,
        onError: options.onError,
        ...(onlySink ? { onReady: options.onReady } : {}),
      })
    : Promise.resolve();
  if (onlySink) return sink;

  Runtime.install({ logger: new DefaultLogger('WARN') });
  const connection = await NativeConnection.connect({ address: addresses.temporalAddress });
  const log = await createEventLog(addresses);
  const configs = new RunConfigs(log);
  const common = { log, configs, codeVersion };
  const codecs = createCodecs();
  const buffers = new BufferViews(log, async (run) => bufferPolicy(await configs.of(run)));
  let engine: Promise<PolicyEngine> | undefined;
  let sandbox: Promise<Sandbox> | undefined;
  const theEngine = (): Promise<PolicyEngine> =>
    (engine ??= createPolicyEngine({ threads: options.tensorflowThreads }));
  const theSandbox = (): Promise<Sandbox> =>
    (sandbox ??= createSandbox({
      workers: options.sandboxWorkers,
      packages: options.sandboxPackages,
      unsafeNoIsolation: options.unsafeNoIsolation,
    }));

  const create = async (role: Exclude<WorkerRole, 'sink'>): Promise<Worker> => {
    const base = {
      connection,
      namespace: addresses.temporalNamespace,
      taskQueue: TASK_QUEUES[role],
      shutdownGraceTime: '10 seconds',
      // Sampling, learning and sandbox runs fill the machine: one step of a role at a time.
      maxConcurrentActivityTaskExecutions: role === 'orchestrate' ? 8 : 1,
    } as const;
    switch (role) {
      case 'orchestrate':
        return Worker.create({
          ...base,
          workflowsPath: fileURLToPath(new URL('../../workflows/index.js', import.meta.url)),
          activities: { ...orchestrateSteps({ ...common, brokers: addresses.kafkaBrokers }) },
        });
      case 'rollout':
        return Worker.create({
          ...base,
          activities: {
            ...rolloutSteps({ ...common, buffers, engine: await theEngine(), codecs }),
          },
        });
      case 'sandbox':
        return Worker.create({
          ...base,
          activities: {
            ...sandboxSteps({ ...common, buffers, sandbox: await theSandbox(), codecs }),
          },
        });
      case 'learner':
        return Worker.create({
          ...base,
          activities: {
            ...learnerSteps({ ...common, engine: await theEngine(), checkpoints: options.checkpoints }),
          },
        });
      case 'evaluate':
        return Worker.create({
          ...base,
          activities: {
            ...evaluateSteps({
              ...common,
              engine: await theEngine(),
              sandbox: await theSandbox(),
              codecs,
            }),
          },
        });
    }
  };

  try {
    const workers = await Promise.all(temporalRoles.map(create));
    const running = workers.map((worker) => worker.run());
    const shutDown = (): void => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    };
    if (signal.aborted) shutDown();
    else signal.addEventListener('abort', shutDown, { once: true });
    options.onReady();
    await Promise.all([...running, sink]);
  } finally {
    await engine?.then((policy) => policy.close()).catch(() => undefined);
    await sandbox?.then((box) => box.close()).catch(() => undefined);
    await log.close();
    await connection.close();
  }
}
