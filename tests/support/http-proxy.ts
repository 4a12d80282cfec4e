/** An HTTP proxy before a database, for tests that come between a client's requests and their answers. */
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export abstract class HttpProxy {
  readonly #server: Server;
  readonly #target: URL;

  protected constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      bytesOf(incoming)
        .then((body) => this.pass(incoming, body))
        .then(
          (answer) => {
            if (answer === undefined) return incoming.destroy();
            outgoing.writeHead(answer.status, answer.headers);
            return outgoing.end(answer.body);
          },
          () => incoming.destroy(),
        );
    });
  }

  /** The answer to a request; undefined breaks the connection. */
  protected abstract pass(incoming: IncomingMessage, body: Buffer): Promise<Answer | undefined>;

  protected listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The database's own answer. */
  protected forward(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
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
export function writtenTable(url: string, body: Buffer): string | undefined {
  const query = new URL(url, 'http://localhost').searchParams.get('query') ?? body.toString('utf8', 0, 300);
  return /^\s*INSERT INTO\s+([\w.`]+)/i.exec(query)?.[1];
}
