/**
 * One supervised process: started when those it depends on are healthy, restarted with growing pauses when it ends or no
 * longer answers, stopped by its signal and, after its grace, by SIGKILL to its whole process group.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIdentity } from '../../src/config/stack-state.js';
import { lastLines, readFrom, rotate } from './logs.js';
import { isFree, portInUse } from './ports.js';
import type { ProcessSpec } from './process-spec.js';
import { identityOf, killGroup, residentMiB, signalGroup } from './processes.js';
import type { ServiceState, ServiceStatus } from './status.js';

const START_PROBE_MS = 150;
const PROBE_TIMEOUT_MS = 5000;
/** Of the time between probes of a healthy process. */
const PROBE_EVERY_MS = 5000;
/** Failed probes in a row after which a process that still lives is ended; a loaded machine misses a few. */
const DEAF_AFTER = 12;

export interface SupervisedOptions {
  readonly spec: ProcessSpec;
  readonly logFile: string;
  /** Resolves when all that it depends on is healthy. */
  readonly dependenciesReady: (signal: AbortSignal) => Promise<void>;
  /** Called with each new child, and with undefined when it has ended. */
  readonly onChild: (child: ProcessIdentity | undefined) => void;
  readonly onEvent: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Supervised {
  readonly spec: ProcessSpec;
  state: ServiceState = 'stopped';
  private readonly options: SupervisedOptions;
  private child: ChildProcess | undefined;
  private healthySince: number | undefined;
  private restarts = 0;
  private failures = 0;
  private detail: string | undefined;
  private stopping = new AbortController();
  /** Ends the pause before the next try. */
  private hurry = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(options: SupervisedOptions) {
    this.options = options;
    this.spec = options.spec;
  }

  /** Starts it where it is stopped; tries it at once where it waits for its next try. */
  start(): void {
    if (this.loop !== undefined) {
      this.failures = 0;
      if (this.state === 'failed') this.state = 'starting';
      if (this.child === undefined) this.hurry.abort();
      return;
    }
    this.stopping = new AbortController();
    this.failures = 0;
    this.state = 'starting';
    this.loop = this.keepAlive(this.stopping.signal).finally(() => {
      this.loop = undefined;
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.hurry.abort();
    const { child } = this;
    if (child?.pid !== undefined) await this.end(child, child.pid);
    await this.loop;
    this.state = 'stopped';
    this.detail = undefined;
  }

  status(): ServiceStatus {
    const pid = this.child?.pid;
    const rssMiB = pid === undefined ? undefined : residentMiB(pid);
    return {
      name: this.spec.name,
      state: this.state,
      ...(pid === undefined ? {} : { pid }),
      ...(this.spec.address === undefined ? {} : { address: this.spec.address }),
      ...(this.healthySince === undefined
        ? {}
        : { uptimeS: Math.round((performance.now() - this.healthySince) / 1000) }),
      restarts: this.restarts,
      ...(rssMiB === undefined ? {} : { rssMiB }),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
  }

  private async keepAlive(signal: AbortSignal): Promise<void> {
    const { restart } = this.spec;
    for (let first = true; !signal.aborted; first = false) {
      if (!first) this.restarts++;
      const began = performance.now();
      let wasHealthy = false;
      try {
        await this.options.dependenciesReady(signal);
        wasHealthy = await this.live(signal);
      } catch (error) {
        if (!signal.aborted) this.fault((error as Error).message);
      }
      this.healthySince = undefined;
      if (signal.aborted) return;
      const stable = wasHealthy && performance.now() - began >= restart.stableMs;
      this.failures = stable ? 1 : this.failures + 1;
      // A process that was healthy crashed, which the next start may mend; one that never was will hardly be.
      this.state = this.failures >= restart.failedAfter ? 'failed' : 'starting';
      const pause = Math.min(restart.maximumMs, restart.initialMs * 2 ** (this.failures - 1));
      this.options.onEvent(`${this.spec.name}: ${this.detail ?? 'ended'}; next try in ${pause} ms`);
      this.hurry = new AbortController();
      await sleep(pause, undefined, { signal: AbortSignal.any([signal, this.hurry.signal]) }).catch(
        () => undefined,
      );
    }
  }

  /** One life, from spawn to end. True when it was healthy once. */
  private async live(signal: AbortSignal): Promise<boolean> {
    const { spec, options } = this;
    for (const { port, key } of spec.ports)
      if (!(await isFree(port))) {
        // A predecessor's socket may outlast its process by a moment.
        await sleep(1000);
        if (!(await isFree(port))) throw new Error(portInUse(port, key));
      }
    await spec.prepare?.();
    if (signal.aborted) return false;
    rotate(options.logFile);
    const offset = existsSync(options.logFile) ? statSync(options.logFile).size : 0;
    const { child, ended } = this.spawn();
    const { pid } = child;
    if (pid === undefined) {
      await ended;
      throw new Error(`${spec.command} cannot be started`);
    }
    let healthy: boolean;
    let ending: Ending | undefined;
    const over = ended.then((how) => {
      ending = how;
    });
    try {
      healthy = await this.awaitHealth(offset, over, () => ending !== undefined, signal);
      if (healthy) {
        await spec.onHealthy?.();
        this.healthySince = performance.now();
        this.state = 'running';
        this.options.onEvent(`${spec.name}: running, process ${pid}`);
        await this.watch(over, () => ending !== undefined, pid, signal);
      } else if (ending === undefined && !signal.aborted) {
        this.fault(`did not become healthy in ${spec.startMs / 1000} s (log: ${options.logFile})`);
        signalGroup(pid, 'SIGKILL');
      }
    } catch (error) {
      if (ending === undefined) await this.end(child, pid);
      throw error;
    } finally {
      await over;
      // What the process left in its group (grandchildren) must not outlive it.
      killGroup(pid);
      this.child = undefined;
      options.onChild(undefined);
    }
    if (!signal.aborted && this.detail === undefined) this.fault(this.describeEnd(ending, offset));
    return healthy;
  }

  private spawn(): { child: ChildProcess; ended: Promise<Ending> } {
    const { spec, options } = this;
    const log = openSync(options.logFile, 'a', 0o600);
    this.detail = undefined;
    try {
      const child = spawn(spec.command, spec.args, {
        cwd: spec.cwd,
        env: { ...options.env, ...spec.env },
        stdio: ['ignore', log, log],
        // A process group of its own: a terminal's Ctrl-C does not reach it, and its end takes its children along.
        detached: true,
      });
      this.child = child;
      const ended = new Promise<Ending>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }));
        child.once('error', (error) => {
          this.fault(`${spec.command} cannot be started: ${error.message}`);
          if (child.pid === undefined) resolve({ code: null, signal: null });
        });
      });
      if (child.pid === undefined) this.child = undefined;
      else options.onChild(identityOf(child.pid));
      return { child, ended };
    } finally {
      closeSync(log);
    }
  }

  /** True when it is healthy; false when it ended, was stopped, or its time is up. */
  private async awaitHealth(
    offset: number,
    over: Promise<void>,
    hasEnded: () => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { health, startMs } = this.spec;
    const deadline = performance.now() + startMs;
    while (!hasEnded() && !signal.aborted && performance.now() < deadline) {
      const healthy =
        health.kind === 'log'
          ? readFrom(this.options.logFile, offset).split('\n').includes(health.line)
          : await answers(health.probe, Math.min(PROBE_TIMEOUT_MS, deadline - performance.now() + 1));
      if (healthy && !hasEnded()) return true;
      await Promise.race([over, sleep(START_PROBE_MS)]);
    }
    return false;
  }

  /** Until it ends; asks it for its health and rotates its log meanwhile. */
  private async watch(
    over: Promise<void>,
    hasEnded: () => boolean,
    pid: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { health } = this.spec;
    let deaf = 0;
    while (!hasEnded()) {
      const tick = new AbortController();
      await Promise.race([
        over,
        sleep(PROBE_EVERY_MS, undefined, { signal: tick.signal }).catch(() => undefined),
      ]);
      tick.abort();
      if (hasEnded()) return;
      rotate(this.options.logFile);
      if (health.kind !== 'probe' || signal.aborted) continue;
      deaf = (await answers(health.probe, PROBE_TIMEOUT_MS)) ? 0 : deaf + 1;
      if (deaf >= DEAF_AFTER && !hasEnded() && !signal.aborted) {
        this.fault(`answered none of ${deaf} health checks and was ended`);
        signalGroup(pid, 'SIGKILL');
        return;
      }
    }
  }

  private async end(child: ChildProcess, pid: number): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    signalGroup(pid, this.spec.stopSignal);
    const grace = new AbortController();
    const late = await Promise.race([
      gone.then(() => false),
      sleep(this.spec.graceMs, true, { signal: grace.signal }).catch(() => false),
    ]);
    grace.abort();
    if (!late) return;
    this.options.onEvent(`${this.spec.name}: did not end in ${this.spec.graceMs / 1000} s; killed`);
    signalGroup(pid, 'SIGKILL');
    await gone;
  }

  private fault(detail: string): void {
    this.detail = detail;
  }

  private describeEnd(ending: Ending | undefined, offset: number): string {
    const how =
      typeof ending?.signal === 'string'
        ? `was ended by ${ending.signal}${ending.signal === 'SIGKILL' ? ' (from outside, or for lack of memory)' : ''}`
        : `ended with code ${ending?.code ?? 'unknown'}`;
    const [last] = lastLines(this.options.logFile, 1, offset);
    return `${how}${last === undefined ? '' : `; last line: ${last}`} (log: ${this.options.logFile})`;
  }
}

async function answers(probe: (signal: AbortSignal) => Promise<void>, timeoutMs: number): Promise<boolean> {
  try {
    await probe(AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))));
    return true;
  } catch {
    return false;
  }
}
