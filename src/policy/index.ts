/** The policy engine as its users see it: a child process behind the port, restarted when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { EngineCall, EngineReply, EngineRequest } from './engine-protocol.js';
import type { BackendInfo, CheckpointRef, LearnRow, LearnStatistics, PolicyEngine, Sample } from './port.js';

export interface PolicyEngineOptions {
  /** Threads of TensorFlow; default: the machine's cores. */
  readonly threads?: number;
}

/** The engine's process died in the middle of a call. The call may be made again: a new process starts. */
export class EngineDiedError extends Error {
  override readonly name = 'EngineDiedError';
}

/** @throws Error saying how to set TensorFlow up, where it is not. */
export async function createPolicyEngine(options: PolicyEngineOptions = {}): Promise<PolicyEngine> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`threads is ${threads}; accepted are integers from 1`);
  const host = new EngineHost(threads);
  const backend = await host.start();
  return new RemoteEngine(host, backend);
}

interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((...values: readonly number[]) => void) | undefined;
  readonly batches: AsyncIterator<readonly LearnRow[]> | Iterator<readonly LearnRow[]> | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((...values: readonly number[]) => void) | undefined;
  readonly batches?: AsyncIterable<readonly LearnRow[]> | Iterable<readonly LearnRow[]>;
}

class EngineHost {
  readonly #threads: number;
  #child: ChildProcess | undefined;
  #starting: Promise<BackendInfo> | undefined;
  #nextId = 0;
  readonly #pending = new Map<number, PendingCall>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  start(): Promise<BackendInfo> {
    this.#starting ??= new Promise<BackendInfo>((resolve, reject) => {
      const threads = String(this.#threads);
      const child = fork(fileURLToPath(new URL('./engine-process.js', import.meta.url)), [], {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        env: {
          ...process.env,
          TF_CPP_MIN_LOG_LEVEL: '3',
          TF_NUM_INTRAOP_THREADS: threads,
          TF_NUM_INTEROP_THREADS: '1',
          TF_FORCE_GPU_ALLOW_GROWTH: 'true',
          // Large tensors come and go each step: keep their pages (measured: 4 % of a step).
          MALLOC_MMAP_MAX_: '0',
          MALLOC_TRIM_THRESHOLD_: '4294967296',
        },
      });
      this.#child = child;
      child.on('message', (reply: EngineReply) => {
        if (reply.type === 'ready') resolve(reply.backend);
        else if (reply.type === 'failed-to-start') reject(new Error(reply.message));
        else this.#receive(reply);
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const error = new EngineDiedError(`the policy engine ended (${signal ?? `exit code ${code ?? '?'}`})`);
        reject(error);
        this.#starting = undefined;
        this.#child = undefined;
        for (const call of this.#pending.values()) call.reject(error);
        this.#pending.clear();
      });
    });
    return this.#starting;
  }

  #send(request: EngineRequest): void {
    this.#child?.send(request);
  }

  async call<T>(call: EngineCall, options: CallOptions = {}): Promise<T> {
    await this.start();
    options.signal?.throwIfAborted();
    const id = this.#nextId++;
    const cancel = (): void => this.#send({ type: 'cancel', id });
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending.set(id, {
          resolve: resolve as (value: unknown) => void,
          reject,
          onProgress: options.onProgress,
          batches: options.batches === undefined ? undefined : iterator(options.batches),
        });
        this.#send({ type: 'call', id, call });
      });
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      this.#pending.delete(id);
    }
  }

  #receive(reply: Exclude<EngineReply, { type: 'ready' | 'failed-to-start' }>): void {
    const call = this.#pending.get(reply.id);
    if (call === undefined) return;
    switch (reply.type) {
      case 'progress':
        call.onProgress?.(...reply.values);
        break;
      case 'want-batch':
        void (async () => {
          try {
            const next = await call.batches?.next();
            this.#send({ type: 'batch', id: reply.id, rows: next === undefined || next.done === true ? null : next.value });
          } catch (error) {
            this.#send({ type: 'cancel', id: reply.id });
            this.#send({ type: 'batch', id: reply.id, rows: null });
            call.reject(error as Error);
          }
        })();
        break;
      case 'result':
        call.resolve(reply.value);
        break;
      case 'error': {
        const error = new Error(reply.message);
        error.name = reply.name;
        call.reject(error);
        break;
      }
    }
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.disconnect();
    await gone;
  }
}

class RemoteEngine implements PolicyEngine {
  readonly backend: BackendInfo;
  readonly #host: EngineHost;

  constructor(host: EngineHost, backend: BackendInfo) {
    this.#host = host;
    this.backend = backend;
  }

  initialise: PolicyEngine['initialise'] = (spec, seed, folder) =>
    this.#host.call<CheckpointRef>({ kind: 'initialise', spec, seed, folder });

  sample: PolicyEngine['sample'] = (checkpoint, requests, options = {}) =>
    this.#host.call<readonly Sample[]>(
      { kind: 'sample', checkpoint, requests },
      { signal: options.signal, onProgress: options.onProgress as CallOptions['onProgress'] },
    );

  learn: PolicyEngine['learn'] = (parent, rows, config, folder, options = {}) =>
    this.#host.call<{ checkpoint: CheckpointRef; statistics: LearnStatistics }>(
      { kind: 'learn', parent, rows, config, folder },
      { signal: options.signal, onProgress: options.onProgress as CallOptions['onProgress'] },
    );

  imitate: PolicyEngine['imitate'] = (parent, batches, config, folder, options = {}) =>
    this.#host.call<{ checkpoint: CheckpointRef; steps: number; loss: number }>(
      { kind: 'imitate', parent, config, folder },
      { signal: options.signal, onProgress: options.onProgress as CallOptions['onProgress'], batches },
    );

  close(): Promise<void> {
    return this.#host.close();
  }
}

function iterator<T>(source: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}
