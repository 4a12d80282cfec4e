/**
 * A service of the local stack as a child of a test, made from the same specification that the stack runs: started,
 * killed, started again, ended.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { choosePorts } from '../../infra/local/ports.js';
import type { ProcessSpec } from '../../infra/local/process-spec.js';
import { repositoryRoot } from '../../src/config/paths.js';
import type { StackState } from '../../src/config/stack-state.js';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A folder of its own and free loopback ports, as a stack would have them. */
export async function testStack(kafkaClusterId: string): Promise<{ dataDir: string; state: StackState }> {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), 'azr-test-'));
  const ports = await choosePorts({ dataDir, ports: {} }, undefined);
  return { dataDir, state: { stackId: 'test', kafkaClusterId, ports } };
}

export class TestService {
  readonly #spec: ProcessSpec;
  readonly #dataDir: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** @param dataDir removed by `end`. */
  constructor(spec: ProcessSpec, dataDir: string) {
    this.#spec = spec;
    this.#dataDir = dataDir;
    this.#logFile = path.join(dataDir, `${spec.name}.log`);
  }

  /** Until it answers. @throws with the end of its log where it does not. */
  async start(): Promise<void> {
    const { spec } = { spec: this.#spec };
    await spec.prepare?.();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    running.add(child);
    this.#ended = new Promise((resolve) => {
      const over = (): void => {
        running.delete(child);
        resolve();
      };
      child.once('exit', over);
      child.once('error', over);
    });
    if (spec.health.kind !== 'probe') throw new TypeError(`${spec.name} has no probe`);
    const deadline = performance.now() + spec.startMs;
    for (;;) {
      try {
        await spec.health.probe(AbortSignal.timeout(2_000));
        return;
      } catch (error) {
        if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline)
          throw new Error(
            `${spec.name} does not start: ${(error as Error).message}\n${readFileSync(this.#logFile, 'utf8').slice(-2_000)}`,
            { cause: error },
          );
        await sleep(100);
      }
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Ends it and removes its folder. */
  async end(): Promise<void> {
    this.#child?.kill(this.#spec.stopSignal);
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), this.#spec.graceMs);
    await this.#ended;
    clearTimeout(late);
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

/** The compiled modules that child processes run, built where they are stale. */
export async function ensureBuilt(): Promise<void> {
  const code = `const b = await import('./scripts/build.mjs'); if (!(await b.isFresh())) await b.buildAll();`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { cwd: repositoryRoot() });
}
