/**
 * The supervisor's control interface: HTTP on a loopback port, with a random token that only its user can read.
 * GET /status; POST /start {names}; POST /restart {name}; POST /down.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SupervisorState } from '../../src/config/stack-state.js';
import { StackError } from './errors.js';
import type { ServiceStatus } from './status.js';

export interface ControlStatus {
  /** Digest of the configuration that the supervisor was started with. */
  readonly fingerprint: string;
  readonly services: readonly ServiceStatus[];
}

export interface ControlHandlers {
  readonly status: () => ControlStatus;
  readonly start: (names: readonly string[]) => void;
  readonly restart: (name: string) => Promise<void>;
  /** Answers at once; the supervisor ends when all its processes have. */
  readonly down: () => void;
}

export async function serveControl(
  handlers: ControlHandlers,
): Promise<{ server: Server; port: number; token: string }> {
  const token = randomBytes(32).toString('hex');
  const expected = Buffer.from(`Bearer ${token}`);
  const server = createServer((request, response) => {
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    };
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      reply(401, { error: 'a token is needed' });
      return;
    }
    handle(request, handlers).then(
      (body) => (body === undefined ? reply(404, { error: 'unknown' }) : reply(200, body)),
      (error: unknown) => reply(error instanceof RangeError ? 400 : 500, { error: (error as Error).message }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port, token };
}

async function handle(request: IncomingMessage, handlers: ControlHandlers): Promise<object | undefined> {
  switch (`${request.method ?? ''} ${request.url ?? ''}`) {
    case 'GET /status':
      return handlers.status();
    case 'POST /start': {
      const { names } = (await bodyOf(request)) as { names: string[] };
      handlers.start(names);
      return handlers.status();
    }
    case 'POST /restart': {
      const { name } = (await bodyOf(request)) as { name: string };
      await handlers.restart(name);
      return handlers.status();
    }
    case 'POST /down':
      handlers.down();
      return {};
    default:
      return undefined;
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown;
}

/** Asks a running supervisor. @throws StackError with its reason, or where it does not answer. */
export async function askSupervisor(
  supervisor: SupervisorState,
  path: '/status' | '/start' | '/restart' | '/down',
  body?: object,
): Promise<ControlStatus> {
  let response: Response;
  try {
    response = await fetch(`http://127.0.0.1:${supervisor.controlPort}${path}`, {
      method: path === '/status' ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${supervisor.token}` },
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new StackError(
      `the supervisor (process ${supervisor.pid}) does not answer: ${(error as Error).message}. End it with: npx azr down`,
    );
  }
  const answer = (await response.json()) as ControlStatus & { error?: string };
  if (!response.ok)
    throw new StackError(
      answer.error ?? `the supervisor answers ${response.status}`,
      response.status === 400 ? 'usage' : 'service',
    );
  return answer;
}
