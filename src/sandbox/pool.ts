/**
 * The pool: N workers, each with one isolated interpreter a seed, and one bounded queue.
 *
 * A worker has up to two jobs under way, so that its supervisor never waits for us. When an interpreter dies, its jobs
 * go back to the head of the queue and a fresh interpreter is started: a job is a pure function of its text, and its
 * promise is settled once, so no answer is lost or doubled.
 */
import type { Environment } from './environment.js';
import { InterpreterLost, IsolatedInterpreter, type Job, type Reply } from './isolated.js';

const UNDER_WAY = 2;
const QUEUE_BOUND = 256;
/** A job whose interpreter died this often is given up; its program is taken for the cause. */
const ATTEMPTS = 4;
/** Interpreters that may fail to start, one after the other, before the pool says so. */
const START_FAILURES = 3;
/** The reply that stands for a job which took its interpreter with it each time. */
const GIVEN_UP: Reply = { frames: [], broken: false, end: 'signal', code: 9, cpu: 0, rss: 0 };

interface Entry {
  readonly job: Job;
  readonly seed: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  attempts: number;
}

interface Worker {
  readonly interpreters: Map<number, Promise<IsolatedInterpreter>>;
  underWay: number;
}

export class Pool {
  private readonly environment: Environment;
  private readonly workers: readonly Worker[];
  private readonly queue: Entry[] = [];
  private readonly waitingForRoom: (() => void)[] = [];
  private startFailures = 0;
  private restarted = 0;
  private closing = false;

  constructor(environment: Environment, workers: number) {
    this.environment = environment;
    this.workers = Array.from({ length: workers }, () => ({ interpreters: new Map(), underWay: 0 }));
  }

  /** Interpreters started in place of ones that died. */
  get restarts(): number {
    return this.restarted;
  }

  /** Starts the first seed's interpreter of every worker. */
  async warmUp(): Promise<IsolatedInterpreter> {
    const started = await Promise.all(this.workers.map((worker) => this.interpreter(worker, 0)));
    return started[0] as IsolatedInterpreter;
  }

  /** Process ids of the interpreters that are alive, for tests and for `azr doctor`. */
  async processIds(): Promise<readonly number[]> {
    const all = this.workers.flatMap((worker) => [...worker.interpreters.values()]);
    const settled = await Promise.allSettled(all);
    return settled.flatMap((s) =>
      s.status === 'fulfilled' && s.value.alive && s.value.pid ? [s.value.pid] : [],
    );
  }

  /** Queues a job for the interpreter of a seed. Waits for room where the queue is full. */
  async submit(job: Job, seed: number): Promise<Reply> {
    while (this.queue.length >= QUEUE_BOUND && !this.closing)
      await new Promise<void>((resolve) => this.waitingForRoom.push(resolve));
    if (this.closing) throw new Error('the sandbox is closed');
    return new Promise<Reply>((resolve, reject) => {
      this.queue.push({ job, seed, resolve, reject, attempts: 0 });
      this.dispatch();
    });
  }

  /** Rejects what waits, ends all processes. */
  async close(): Promise<void> {
    this.closing = true;
    for (const entry of this.queue.splice(0)) entry.reject(new Error('the sandbox was closed'));
    for (const wake of this.waitingForRoom.splice(0)) wake();
    const all = this.workers.flatMap((worker) => [...worker.interpreters.values()]);
    await Promise.all(
      all.map((starting) => starting.then((interpreter) => interpreter.close()).catch(() => undefined)),
    );
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      let free: Worker | undefined;
      for (const worker of this.workers)
        if (worker.underWay < UNDER_WAY && (free === undefined || worker.underWay < free.underWay))
          free = worker;
      if (free === undefined) return;
      const entry = this.queue.shift() as Entry;
      this.waitingForRoom.shift()?.();
      void this.serve(free, entry);
    }
  }

  private async serve(worker: Worker, entry: Entry): Promise<void> {
    worker.underWay++;
    try {
      const interpreter = await this.interpreter(worker, entry.seed);
      entry.resolve(await interpreter.run(entry.job));
    } catch (error) {
      if (!(error instanceof InterpreterLost) || this.closing || this.startFailures >= START_FAILURES)
        entry.reject(error as Error);
      else if (++entry.attempts >= ATTEMPTS) entry.resolve(GIVEN_UP);
      else this.queue.unshift(entry);
    } finally {
      worker.underWay--;
      this.dispatch();
    }
  }

  private async interpreter(worker: Worker, seed: number): Promise<IsolatedInterpreter> {
    const known = worker.interpreters.get(seed);
    if (known !== undefined) {
      const interpreter = await known.catch(() => undefined);
      if (interpreter?.alive === true) return interpreter;
      // Of several jobs that find it dead, the first replaces it.
      if (worker.interpreters.get(seed) !== known) return this.interpreter(worker, seed);
      this.restarted++;
    }
    const starting = IsolatedInterpreter.start(this.environment, seed);
    worker.interpreters.set(seed, starting);
    try {
      const interpreter = await starting;
      this.startFailures = 0;
      if (this.closing) await interpreter.close();
      return interpreter;
    } catch (error) {
      this.startFailures++;
      throw error;
    }
  }
}
