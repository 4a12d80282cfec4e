/** A script that is spoken to in lines. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export class LineProcess {
  readonly pid: number;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly answers: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, pid: number) {
    this.child = child;
    this.pid = pid;
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Starts `script` under `interpreter`, sends the first line and waits for `ready`.
   * @param flags of the interpreter; by default it sees no installed packages
   * @param env beside this process's own
   */
  static async start(
    interpreter: string,
    script: URL,
    args: readonly string[],
    first: unknown,
    {
      flags = ['-s', '-S', '-B'],
      env = {},
    }: { readonly flags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<LineProcess> {
    const file = fileURLToPath(script);
    const child = spawn(interpreter, [...flags, file, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    await once(child, 'spawn');
    if (child.pid === undefined) throw new Error(`${file} has no process id`);
    const started = new LineProcess(child, child.pid);
    const answer = await started.ask(JSON.stringify(first));
    if (answer !== 'ready') throw new Error(`${file} said ${answer.slice(0, 100)}, not ready`);
    return started;
  }

  /** Sends a line and waits for one. */
  async ask(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) throw new Error(`the process ${this.pid} ended without an answer`);
    return answer.value;
  }

  /** Closes its input and waits for its end. */
  async close(): Promise<void> {
    const ended = once(this.child, 'close');
    this.child.stdin.end();
    await ended;
  }
}
