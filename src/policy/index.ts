/** The policy engine as its users see it: a child process behind the port, restarted when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { EngineCall, EngineReply, EngineRequest } from './engine-protocol.js';
import { EngineLog } from './engine-log.js';
import type {
  BackendInfo,
  CheckpointRef,
  LearnRow,
  LearnStatistics,
  PolicyEngine,
  Sample,
  SampleOptions,
} from './port.js';
import { CorruptCheckpointError } from '../learner/checkpoint.js';
import { MemoryNeededError } from './engine/memory.js';
import { ModelFileError } from './safetensors/format.js';
import { engineVariables } from './engine/environment.js';

export interface PolicyEngineOptions {
  /** Threads of TensorFlow; default: the machine's cores. */
  readonly threads?: number;
  /** In this process, which it blocks while it computes: for scripts and measurements. TF_* variables are the caller's. */
  readonly inProcess?: boolean;
}

/** The engine's process died in the middle of a call. The call may be made again: a new process starts. */
export class EngineDiedError extends Error {
  override readonly name = 'EngineDiedError';
}

/** By their classes, too: what may be tried again is told by an error's class (Temporal), not by its name. */
const ERRORS = [RangeError, TypeError, ModelFileError, CorruptCheckpointError, MemoryNeededError];

function errorOf(name: string, message: string): Error {
  const Known = ERRORS.find((kind) => kind.name === name);
  return Known === undefined ? Object.assign(new Error(message), { name }) : new Known(message);
}

/** What the system does to a process that asks for more memory than there is, and what the C++ library does of its own. */
const MEMORY_SIGNALS: readonly (string | null)[] = ['SIGKILL', 'SIGABRT'];

function deathOf(code: number | null, signal: string | null, last: string): string {
  const how = `the policy engine ended (${signal ?? `exit code ${code ?? '?'}`})${last === '' ? '' : `: ${last}`}`;
  return MEMORY_SIGNALS.includes(signal) || /bad_alloc|OOM|out of memory/i.test(last)
    ? `${how}. Most often the machine's memory ran out: fewer rows at once (learner.microbatchRows), activations computed again (policy.gradientCheckpointing), shorter completions (policy.maxResponseTokens) or adapters (policy.loraRank) need less. Finished steps are kept`
    : how;
}

/** @throws Error saying how to set TensorFlow up, where it is not. */
export async function createPolicyEngine(options: PolicyEngineOptions = {}): Promise<PolicyEngine> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`threads is ${threads}; accepted are integers from 1`);
  if (options.inProcess === true) {
    const { TensorflowEngine } = await import('./engine/tensorflow-engine.js');
    const { openNative } = await import('./engine/backend.js');
    return new TensorflowEngine(threads, await openNative());
  }
  const host = new EngineHost(threads);
  const backend = await host.start();
  return new RemoteEngine(host, backend);
}

/** Compiled: a process of its own takes no TypeScript, also where this module is loaded from its source (tests). */
function engineModule(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/src/policy/engine-process.js' : './engine-process.js',
    import.meta.url,
  );
}

interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((...values: readonly number[]) => void) | undefined;
  readonly onTokens: SampleOptions['onTokens'];
  readonly batches: AsyncIterator<readonly LearnRow[]> | Iterator<readonly LearnRow[]> | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((...values: readonly number[]) => void) | undefined;
  readonly onTokens?: SampleOptions['onTokens'];
  readonly batches?: AsyncIterable<readonly LearnRow[]> | Iterable<readonly LearnRow[]>;
}

class EngineHost {
  readonly #threads: number;
  #child: ChildProcess | undefined;
  #starting: Promise<BackendInfo> | undefined;
  #nextId = 0;
  #closed = false;
  readonly #pending = new Map<number, PendingCall>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  start(): Promise<BackendInfo> {
    this.#starting ??= new Promise<BackendInfo>((resolve, reject) => {
      const child = fork(fileURLToPath(engineModule()), [], {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        env: {
          ...process.env,
          ...engineVariables(this.#threads),
        },
      });
      this.#child = child;
      const log = new EngineLog(child.stderr);
      child.on('message', (reply: EngineReply) => {
        if (reply.type === 'ready') resolve(reply.backend);
        else if (reply.type === 'failed-to-start') reject(new Error(reply.message));
        else this.#receive(reply);
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const error = new EngineDiedError(deathOf(code, signal, log.last));
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
    if (this.#closed) throw new Error('the policy engine is closed');
    await this.start();
    options.signal?.throwIfAborted();
    const id = this.#nextId++;
    const cancel = (): void => this.#send({ type: 'cancel', id });
    options.signal?.addEventListener('abort', cancel, { once: true });
    const batches = options.batches === undefined ? undefined : iterator(options.batches);
    try {
      return await new Promise<T>((resolve, reject) => {
        const { onProgress, onTokens } = options;
        const settle = { resolve: resolve as (value: unknown) => void, reject };
        this.#pending.set(id, { ...settle, onProgress, onTokens, batches });
        this.#send({ type: 'call', id, call });
      });
    } catch (error) {
      // The engine's own words for it know nothing of the caller's reason.
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      this.#pending.delete(id);
      await batches?.return?.();
    }
  }

  #receive(reply: Exclude<EngineReply, { type: 'ready' | 'failed-to-start' }>): void {
    const call = this.#pending.get(reply.id);
    if (call === undefined) return;
    switch (reply.type) {
      case 'progress':
        call.onProgress?.(...reply.values);
        break;
      case 'tokens':
        call.onTokens?.(reply.sample, reply.tokens);
        break;
      case 'want-batch':
        void (async () => {
          try {
            const next = await call.batches?.next();
            this.#send({
              type: 'batch',
              id: reply.id,
              rows: next === undefined || next.done === true ? null : next.value,
            });
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
        call.reject(errorOf(reply.name, reply.message));
        break;
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
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

  importModel: PolicyEngine['importModel'] = (source, folder, adapters) =>
    this.#host.call<CheckpointRef>({
      kind: 'import',
      source,
      folder,
      ...(adapters === undefined ? {} : { adapters }),
    });

  sample: PolicyEngine['sample'] = (checkpoint, requests, options = {}) =>
    this.#host.call<readonly Sample[]>(
      {
        kind: 'sample',
        checkpoint,
        requests,
        streams: options.onTokens !== undefined,
        ...(options.tokenTexts === undefined ? {} : { tokenTexts: options.tokenTexts }),
      },
      {
        signal: options.signal,
        onProgress: options.onProgress as CallOptions['onProgress'],
        onTokens: options.onTokens,
      },
    );

  learn: PolicyEngine['learn'] = (parent, rows, config, folder, options = {}) =>
    this.#host.call<{ checkpoint: CheckpointRef; statistics: LearnStatistics }>(
      {
        kind: 'learn',
        parent,
        rows,
        config,
        folder,
        ...(options.reference === undefined ? {} : { reference: options.reference }),
      },
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
