/**
 * An HTTP proxy before a database that ends a process with SIGKILL at a chosen write: before the database sees it, or
 * after the database has answered and before the process hears of it. What is written is told apart by its query.
 */
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Moment = 'before rows' | 'between rows and offset' | 'after offset';

export interface CrashPlan {
  /** The how-manieth write of this life (rows or offset), from 0. */
  readonly write: number;
  /** Before the database sees it, or once it has answered. */
  readonly when: 'before' | 'after';
}

export class CrashProxy {
  readonly #server: Server;
  readonly #target: URL;
  #plan: CrashPlan | undefined;
  #kill: () => void = () => undefined;
  #writes = 0;
  #moment: Moment | undefined;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      void this.#pass(incoming).then(
        (answer) => {
          if (answer === undefined) return incoming.destroy();
          outgoing.writeHead(answer.status, answer.headers);
          return outgoing.end(answer.body);
        },
        () => incoming.destroy(),
      );
    });
  }

  static async before(target: string): Promise<CrashProxy> {
    const proxy = new CrashProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next life: counts its writes from 0 and calls `kill` at the planned one. */
  arm(plan: CrashPlan, kill: () => void): void {
    [this.#plan, this.#kill, this.#writes, this.#moment] = [plan, kill, 0, undefined];
  }

  /** Where the process was when it was killed; undefined where the plan's write did not come. */
  get moment(): Moment | undefined {
    return this.#moment;
  }

  async #pass(
    incoming: IncomingMessage,
  ): Promise<{ status: number; headers: Record<string, string>; body: Buffer } | undefined> {
    const body = await bytesOf(incoming);
    const table = writtenTable(incoming.url ?? '', body);
    const mine = table !== undefined && this.#plan?.write === this.#writes;
    if (table !== undefined) this.#writes += 1;
    const isOffset = table?.endsWith('sink_offsets') === true;
    if (mine && this.#plan?.when === 'before') {
      this.#crash(isOffset ? 'between rows and offset' : 'before rows');
      return undefined;
    }
    const answer = await this.#forward(incoming, body);
    if (mine) {
      this.#crash(isOffset ? 'after offset' : 'between rows and offset');
      return undefined;
    }
    return answer;
  }

  #crash(moment: Moment): void {
    this.#moment = moment;
    this.#kill();
  }

  #forward(
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: Record<string, string>; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const { 'transfer-encoding': _chunked, ...headers } = incoming.headers;
      const outgoing = request(
        {
          host: this.#target.hostname,
          port: this.#target.port,
          path: incoming.url,
          method: incoming.method,
          headers: { ...headers, 'content-length': body.length },
        },
        (response) => {
          bytesOf(response).then((answer) => {
            const { 'transfer-encoding': _pieces, connection: _c, ...given } = response.headers;
            const plain = Object.fromEntries(
              Object.entries(given).flatMap(([name, value]) =>
                typeof value === 'string' ? [[name, value]] : [],
              ),
            );
            resolve({ status: response.statusCode ?? 502, headers: plain, body: answer });
          }, reject);
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

/** The table of an INSERT, in the URL's query or at the body's beginning. */
function writtenTable(url: string, body: Buffer): string | undefined {
  const query = new URL(url, 'http://localhost').searchParams.get('query') ?? body.toString('utf8', 0, 300);
  return /^\s*INSERT INTO\s+([\w.`]+)/i.exec(query)?.[1];
}
