/**
 * The ClickHouse engine, embedded (chDB), behind ClickHouse's own HTTP interface on loopback, so that the official client
 * and every tool that speaks it work as against a cluster.
 *
 * Served: GET /ping; queries by GET or POST with `query`, `database`, `default_format`, settings and `param_*` in the
 * address; inserts whose data is the body; gzip both ways. Statements run one at a time in one of two sessions of the
 * engine, for writers and for readers (`readonly` = 1 or 2, both as 1), whose database and settings are set around each
 * statement. Not served: users, sessions, several statements in one request, INTO OUTFILE, progress headers, TLS.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Session } from 'chdb';
import { readSql } from '../../../pipelines/clickhouse/sql-text.js';

export interface EmbeddedClickHouse {
  readonly port: number;
  close(): Promise<void>;
}

/** Parameters of the address that are no engine settings. */
const NOT_SETTINGS = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'user',
  'password',
  'role',
  'compress',
  'decompress',
  'enable_http_compression',
  'http_zlib_compression_level',
  'wait_end_of_query',
  'buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'readonly',
]);
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_BODY_BYTES = 1 << 30;

interface Statement {
  readonly text: string;
  readonly data: Buffer | undefined;
  readonly database: string;
  readonly format: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  readonly readOnly: boolean;
}

interface EngineSession {
  readonly session: Session;
  /** The one that it uses now. */
  database: string;
}

/** @param folder the engine's data; one process at a time may have it open. */
export async function startEmbeddedClickHouse(folder: string, port: number): Promise<EmbeddedClickHouse> {
  const writer: EngineSession = { session: new Session(folder), database: 'default' };
  // Read-only is the engine's own setting, fixed when the session is made: no statement can lift it.
  const reader: EngineSession = {
    session: new Session(folder, { connectionArgs: ['--readonly=1'] }),
    database: 'default',
  };
  let turn: Promise<unknown> = Promise.resolve();

  const run = async (statement: Statement): Promise<Buffer> => {
    const engine = statement.readOnly ? reader : writer;
    const { session } = engine;
    if (statement.database !== engine.database) {
      await session.queryAsync(`USE ${quoteIdentifier(statement.database)}`);
      engine.database = statement.database;
    }
    if (statement.data !== undefined) return Buffer.from((await insert(session, statement)).bytes());
    const names = [...statement.settings.keys()];
    for (const [name, value] of statement.settings)
      await session.queryAsync(`SET ${name} = ${quoteText(value)}`);
    try {
      const options = { format: statement.format };
      const result =
        statement.parameters.size === 0
          ? await session.queryAsync(statement.text, options)
          : await session.queryBindAsync(statement.text, Object.fromEntries(statement.parameters), options);
      return Buffer.from(result.bytes());
    } finally {
      for (const name of names) await session.queryAsync(`SET ${name} = DEFAULT`);
    }
  };

  const server = createServer((request, response) => {
    void answer(request, response, (statement) => {
      const result = turn.then(() => run(statement));
      turn = result.catch(() => undefined);
      return result;
    });
  });
  server.keepAliveTimeout = 30_000;
  await listen(server, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await turn;
      reader.session.close();
      writer.session.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  run: (statement: Statement) => Promise<Buffer>,
): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/ping' || (request.method === 'GET' && !url.searchParams.has('query'))) {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('Ok.\n');
      return;
    }
    const body = await readBody(request);
    const statement = toStatement(url, body, request);
    let result = await run(statement);
    const headers: Record<string, string> = {
      'content-type': 'text/plain; charset=UTF-8',
      'x-clickhouse-format': statement.format,
      'x-clickhouse-summary': '{}',
    };
    const queryId = url.searchParams.get('query_id');
    if (queryId !== null) headers['x-clickhouse-query-id'] = queryId;
    if (url.searchParams.get('enable_http_compression') === '1' && acceptsGzip(request)) {
      headers['content-encoding'] = 'gzip';
      result = gzipSync(result, { level: 1 });
    }
    response.writeHead(200, headers).end(result);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = /Code: (\d+)/.exec(message)?.[1];
    response
      .writeHead(
        code === '60' || code === '81'
          ? 404
          : code === undefined || code === '62' || code === '47'
            ? 400
            : 500,
        {
          'content-type': 'text/plain; charset=UTF-8',
          ...(code === undefined ? {} : { 'x-clickhouse-exception-code': code }),
        },
      )
      .end(code === undefined ? `Code: 1002. DB::Exception: ${message}\n` : `${message}\n`);
  }
}

function toStatement(url: URL, body: Buffer, request: IncomingMessage): Statement {
  const settings = new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) parameters.set(name.slice('param_'.length), value);
    else if (!NOT_SETTINGS.has(name)) {
      if (!IDENTIFIER.test(name))
        throw new Error(`Code: 115. DB::Exception: Unknown setting '${name}'. (UNKNOWN_SETTING)`);
      settings.set(name, value);
    }
  }
  const inAddress = url.searchParams.get('query');
  const text = inAddress ?? body.toString('utf8');
  const data = inAddress !== null && request.method === 'POST' && body.length > 0 ? body : undefined;
  return {
    text: singleStatement(text),
    data,
    database: url.searchParams.get('database') ?? 'default',
    format: url.searchParams.get('default_format') ?? 'TabSeparated',
    settings,
    parameters,
    readOnly: ['1', '2'].includes(url.searchParams.get('readonly') ?? '0'),
  };
}

/** @throws where the text is what a server's HTTP interface refuses too. */
function singleStatement(text: string): string {
  // What stands behind an insert's FORMAT is data, not SQL.
  if (/^\s*INSERT\b/i.test(text)) return text.trim().replace(/;\s*$/, '');
  const { statement, code, several } = readSql(text);
  if (several)
    throw new Error(
      'Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)',
    );
  if (/\bINTO OUTFILE\b/.test(code))
    throw new Error('Code: 344. DB::Exception: INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)');
  // The session is everyone's: each request names its database itself.
  if (/^USE\b/.test(code))
    throw new Error(
      'Code: 48. DB::Exception: USE has no session here; name the database in the address. (NOT_IMPLEMENTED)',
    );
  return statement;
}

const INSERT = /^\s*INSERT\s+INTO\s+(?:TABLE\s+)?([\s\S]+?)\s+FORMAT\s+(\w+)\s*$/i;

/** `INSERT INTO t (columns) FORMAT f` with its data behind; settings go into the statement, where deduplication needs them. */
function insert(session: Session, statement: Statement): ReturnType<Session['queryAsync']> {
  const match = INSERT.exec(statement.text);
  if (match === null)
    throw new Error(
      'Code: 62. DB::Exception: A statement with data must be INSERT INTO ... FORMAT ... (SYNTAX_ERROR)',
    );
  const [, target = '', format = ''] = match;
  const settings = [...statement.settings].map(([name, value]) => `${name} = ${quoteText(value)}`);
  const clause = settings.length === 0 ? '' : ` SETTINGS ${settings.join(', ')}`;
  return session.queryAsync(
    `INSERT INTO ${target}${clause} FORMAT ${format}\n${(statement.data ?? Buffer.alloc(0)).toString('utf8')}`,
  );
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES)
      throw new Error(`Code: 307. DB::Exception: The body has more than ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

const acceptsGzip = (request: IncomingMessage): boolean =>
  String(request.headers['accept-encoding'] ?? '').includes('gzip');

function quoteText(value: string): string {
  return /^-?\d+(\.\d+)?$/.test(value) ? value : `'${value.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
}

function quoteIdentifier(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`--port is ${port}, which is in use; accepted is a free port, or 0 for any`)
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
}
