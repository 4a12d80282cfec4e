/**
 * One isolated interpreter: a bubblewrap with supervisor and templates inside, spoken to in frames over its stdin and
 * stdout (u32 little-endian length, JSON; first the two filters as bytes). Requests are answered in order; several may be under way.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { sandboxCommand, type Environment } from './environment.js';
import { assembleFilters } from './seccomp.js';
import type { Limits } from './port.js';

/** A program of a job. `compiled` (base64 of a marshalled code object) stands for the text where there is one. */
export interface JobProgram {
  readonly code: string;
  readonly compiled?: string;
  readonly inputs: readonly string[];
}

/** One fork of a template. */
export interface Job extends Limits {
  readonly mode: 'run' | 'analyse' | 'tree' | 'texts';
  readonly programs: readonly JobProgram[];
}

/** Kernel facts about the child of a job. */
export interface Reply {
  readonly frames: readonly string[];
  /** Stray bytes, non-ASCII or too much output. */
  readonly broken: boolean;
  readonly end: 'exit' | 'signal' | 'timeout';
  /** Exit status or signal number. */
  readonly code: number;
  readonly cpu: number;
  readonly rss: number;
}

export interface InterpreterFacts {
  readonly version: string;
  readonly platform: string;
  readonly libc: string;
}

/** The interpreter's process ended with jobs unanswered; they may be run again elsewhere. */
export class InterpreterLost extends Error {}

const FILTERS = assembleFilters();
const START_MS = 30_000;
const MAX_ANSWER = 1 << 30;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly n: number;
  readonly patienceMs: number;
}

export class IsolatedInterpreter {
  private greeting: InterpreterFacts = { version: '', platform: '', libc: '' };
  private readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly waiting: Waiting[] = [];
  private next = 0;
  private lost: InterpreterLost | undefined;
  private patience: NodeJS.Timeout | undefined;
  private chunks: Buffer[] = [];
  private buffered = 0;
  private stderr = '';
  private readonly ended: Promise<void>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.process = child;
    this.ended = new Promise((resolve) => child.once('close', () => resolve()));
  }

  /** Process id of bubblewrap (or of Python without isolation). */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** What the interpreter said of itself when it started. */
  get facts(): InterpreterFacts {
    return this.greeting;
  }

  get alive(): boolean {
    return this.lost === undefined;
  }

  /** Starts and waits for the greeting. Rejects with what the process said on stderr. */
  static async start(environment: Environment, seed: number): Promise<IsolatedInterpreter> {
    const [command, args] = sandboxCommand(environment, { seed });
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: {}, cwd: '/' });
    const interpreter = new IsolatedInterpreter(child);
    interpreter.listen();
    const greeting: Promise<unknown> = interpreter.expect(START_MS);
    for (const filter of [FILTERS.template, FILTERS.child]) interpreter.sendFrame(filter);
    interpreter.greeting = (await greeting) as InterpreterFacts;
    return interpreter;
  }

  /** Runs one job. Rejects with InterpreterLost where the interpreter ended before answering. */
  run(job: Job): Promise<Reply> {
    const inputs = job.mode !== 'run' ? 1 : job.programs.reduce((sum, p) => sum + p.inputs.length, 0);
    const patience = (job.cpuMs * 4 + 2000) * (job.programs.length === 1 ? Math.max(1, inputs) : 1) + 10_000;
    const answer = this.expect(patience);
    this.send({ n: this.next - 1, ...job });
    return answer;
  }

  /** Ends the process; jobs under way are rejected. */
  async close(): Promise<void> {
    this.process.stdin.end();
    const kill = setTimeout(() => this.process.kill('SIGKILL'), 300);
    await this.ended;
    clearTimeout(kill);
  }

  private expect(patienceMs: number): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.lost !== undefined) {
        reject(this.lost);
        return;
      }
      this.waiting.push({ resolve, reject, n: this.next++, patienceMs });
      if (this.waiting.length === 1) this.watch();
    });
  }

  private send(message: unknown): void {
    if (this.lost !== undefined) return;
    this.sendFrame(Buffer.from(JSON.stringify(message), 'utf8'));
  }

  private sendFrame(body: Buffer): void {
    const header = Buffer.alloc(4);
    header.writeUInt32LE(body.length);
    this.process.stdin.write(Buffer.concat([header, body]));
  }

  /** The supervisor has its own time limits; this one is for the supervisor itself. */
  private watch(): void {
    clearTimeout(this.patience);
    const first = this.waiting[0];
    if (first === undefined) return;
    this.patience = setTimeout(() => this.lose('did not answer in time'), first.patienceMs);
  }

  private listen(): void {
    const child = this.process;
    child.on('error', (error) => this.lose(error.message));
    child.on('close', (code, signal) => this.lose(`ended (${signal ?? code})`));
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-2000);
    });
    child.stdout.on('data', (chunk: Buffer) => this.receive(chunk));
  }

  private receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    for (;;) {
      if (this.buffered < 4) return;
      let data = this.chunks[0] as Buffer;
      if (data.length < 4) data = this.join();
      const length = data.readUInt32LE(0);
      if (length > MAX_ANSWER) {
        this.lose(`sent a frame of ${length} bytes`);
        return;
      }
      if (this.buffered < 4 + length) return;
      data = this.join();
      const rest = data.subarray(4 + length);
      this.chunks = rest.length > 0 ? [rest] : [];
      this.buffered = rest.length;
      this.answer(JSON.parse(data.toString('utf8', 4, 4 + length)) as Reply & { n?: number });
    }
  }

  private join(): Buffer {
    const data = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    this.chunks = [data];
    return data;
  }

  private answer(reply: Reply & { n?: number }): void {
    const first = this.waiting.shift();
    if (first === undefined || (reply.n !== undefined && reply.n !== first.n)) {
      if (first !== undefined) this.waiting.unshift(first);
      this.lose('answered out of turn');
      return;
    }
    this.watch();
    first.resolve(reply);
  }

  private lose(why: string): void {
    if (this.lost !== undefined) return;
    const said = this.stderr.trim();
    this.lost = new InterpreterLost(`the isolated interpreter ${why}${said === '' ? '' : `: ${said}`}`);
    clearTimeout(this.patience);
    this.process.kill('SIGKILL');
    for (const { reject } of this.waiting.splice(0)) reject(this.lost);
  }
}
