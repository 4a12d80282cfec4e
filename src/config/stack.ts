/**
 * The configuration of the stack: `azr.config.yaml` (in the working folder, in the checkout, or named by AZR_CONFIG),
 * overridden by AZR_* variables. Everything has a default; a service that is given as an address is used, not started.
 */
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import type { ServiceAddresses } from './addresses.js';
import { nearest, UsageError } from './errors.js';
import { repositoryRoot } from './paths.js';
import { readState, runningSupervisor, type StackState } from './stack-state.js';

const hostPort = z
  .string()
  .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/, 'accepted is host:port, as in 127.0.0.1:9092');
const BROKERS = 'accepted is a list of host:port, as in [127.0.0.1:9092]';
const httpUrl = z.url({ protocol: /^https?$/, error: 'accepted is a URL, as in http://127.0.0.1:8123' });
const port = z.number().int().min(1024, 'accepted are ports from 1024 to 65535').max(65535);
const threads = z.number().int().min(1, 'accepted are integers from 1').max(1024);
const name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'accepted is a name: letters, digits, _ . -');

const GROUPS = {
  kafka: z.strictObject({
    /** A list, or one text with commas. Absent: the local broker. */
    brokers: z.union([z.array(hostPort).min(1, BROKERS), hostPort.transform((one) => [one])]).optional(),
  }),
  temporal: z.strictObject({
    address: hostPort.optional(),
    namespace: name.optional(),
    uiUrl: httpUrl.optional(),
  }),
  clickhouse: z.strictObject({
    url: httpUrl.optional(),
    database: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'accepted is an identifier: letters, digits, _')
      .optional(),
    username: z.string().min(1).optional(),
    password: z.string().optional(),
  }),
  schemaRegistry: z.strictObject({ url: httpUrl.optional() }),
  /** Fixed ports of local services; absent ones are chosen once and kept. */
  ports: z.strictObject({
    kafka: port.optional(),
    kafkaController: port.optional(),
    temporal: port.optional(),
    temporalUi: port.optional(),
    temporalHttp: port.optional(),
    clickhouse: port.optional(),
  }),
  threads: z.strictObject({ tensorflow: threads.optional(), sandbox: threads.max(256).optional() }),
  /** Packages beyond the standard library that programs may import, as in [numpy, sympy]; none by default. */
  sandbox: z.strictObject({ packages: z.array(name).optional() }),
} as const;

const fileSchema = z.strictObject({
  dataDir: z.string().min(1).optional(),
  kafka: GROUPS.kafka.optional(),
  temporal: GROUPS.temporal.optional(),
  clickhouse: GROUPS.clickhouse.optional(),
  schemaRegistry: GROUPS.schemaRegistry.optional(),
  ports: GROUPS.ports.optional(),
  threads: GROUPS.threads.optional(),
  sandbox: GROUPS.sandbox.optional(),
});

export interface StackConfig {
  /** Absolute: data, checkpoints, logs and state of the local stack. */
  readonly dataDir: string;
  readonly kafka: { readonly brokers?: readonly string[] };
  readonly temporal: { readonly address?: string; readonly namespace: string; readonly uiUrl?: string };
  readonly clickhouse: {
    readonly url?: string;
    readonly database: string;
    readonly username?: string;
    readonly password?: string;
  };
  readonly schemaRegistry: { readonly url?: string };
  readonly ports: Readonly<Partial<Record<keyof z.infer<typeof GROUPS.ports>, number>>>;
  /** Thread budget: of the TensorFlow engine, and the number of isolated interpreters. */
  readonly threads: { readonly tensorflow: number; readonly sandbox: number };
  readonly sandbox: { readonly packages: readonly string[] };
}

export interface LoadOptions {
  /** The file; absent: AZR_CONFIG, then `azr.config.yaml` in `cwd`, then in the checkout. */
  readonly file?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Variables that override a key. Lists are joined by commas. */
const VARIABLES = {
  AZR_DATA_DIR: ['dataDir'],
  AZR_KAFKA_BROKERS: ['kafka', 'brokers'],
  AZR_TEMPORAL_ADDRESS: ['temporal', 'address'],
  AZR_TEMPORAL_NAMESPACE: ['temporal', 'namespace'],
  AZR_TEMPORAL_UI_URL: ['temporal', 'uiUrl'],
  AZR_CLICKHOUSE_URL: ['clickhouse', 'url'],
  AZR_CLICKHOUSE_DATABASE: ['clickhouse', 'database'],
  AZR_CLICKHOUSE_USERNAME: ['clickhouse', 'username'],
  AZR_CLICKHOUSE_PASSWORD: ['clickhouse', 'password'],
  AZR_SCHEMA_REGISTRY_URL: ['schemaRegistry', 'url'],
  AZR_TENSORFLOW_THREADS: ['threads', 'tensorflow'],
  AZR_SANDBOX_WORKERS: ['threads', 'sandbox'],
  AZR_SANDBOX_PACKAGES: ['sandbox', 'packages'],
} as const;

/** @throws UsageError naming the file, its line, or the key or variable with what it holds and what is accepted. */
// eslint-disable-next-line @typescript-eslint/require-await -- callers await it: a remote configuration may come
export async function loadStackConfig(options: LoadOptions = {}): Promise<StackConfig> {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const file = findFile(options.file ?? nonEmpty(env['AZR_CONFIG']), cwd);
  const raw = file === undefined ? {} : readMapping(file);
  if (file !== undefined) check(raw, file);
  if (typeof raw['dataDir'] === 'string' && file !== undefined)
    raw['dataDir'] = path.resolve(path.dirname(file), raw['dataDir']);
  applyVariables(raw, env, cwd);
  const parsed = check(raw, file ?? 'the configuration');
  return {
    dataDir: parsed.dataDir ?? path.join(repositoryRoot(), '.azr'),
    kafka: present({ brokers: parsed.kafka?.brokers }),
    temporal: {
      ...present({ address: parsed.temporal?.address, uiUrl: parsed.temporal?.uiUrl }),
      namespace: parsed.temporal?.namespace ?? 'default',
    },
    clickhouse: {
      ...present({
        url: parsed.clickhouse?.url,
        username: parsed.clickhouse?.username,
        password: parsed.clickhouse?.password,
      }),
      database: parsed.clickhouse?.database ?? 'azr',
    },
    schemaRegistry: present({ url: parsed.schemaRegistry?.url }),
    ports: present({ ...parsed.ports }),
    threads: {
      tensorflow: parsed.threads?.tensorflow ?? os.availableParallelism(),
      sandbox: parsed.threads?.sandbox ?? 1,
    },
    sandbox: { packages: parsed.sandbox?.packages ?? [] },
  };
}

/** Every service is given as an address: nothing of the local stack is needed but workers. */
export function isExternal(config: StackConfig): boolean {
  return (
    config.kafka.brokers !== undefined &&
    config.temporal.address !== undefined &&
    config.clickhouse.url !== undefined
  );
}

/**
 * Addresses from the configuration; what is not there comes from the running local stack.
 * @throws an error with `exitCode` 4 that names the command that starts it.
 */
// eslint-disable-next-line @typescript-eslint/require-await -- callers await it: discovery may ask the network
export async function resolveAddresses(config: StackConfig): Promise<ServiceAddresses> {
  if (isExternal(config)) return addressesOf(config, undefined);
  const supervisor = runningSupervisor(config.dataDir);
  const state = readState<StackState>(config.dataDir, 'stack');
  if (supervisor === undefined || state === undefined)
    throw Object.assign(
      new Error(
        `no local stack runs in ${config.dataDir}. Start it with: npx azr up (or name running services in azr.config.yaml)`,
      ),
      { exitCode: 4 },
    );
  return addressesOf(config, state);
}

/** @param state the local stack's; needed for each service that the configuration does not name. */
export function addressesOf(config: StackConfig, state: StackState | undefined): ServiceAddresses {
  const local = (key: keyof StackState['ports']): string => {
    if (state === undefined) throw new Error(`no address for ${key}`);
    return `127.0.0.1:${state.ports[key]}`;
  };
  const uiUrl =
    config.temporal.uiUrl ??
    (config.temporal.address === undefined ? `http://${local('temporalUi')}` : undefined);
  return {
    kafkaBrokers: config.kafka.brokers ?? [local('kafka')],
    temporalAddress: config.temporal.address ?? local('temporal'),
    temporalNamespace: config.temporal.namespace,
    ...present({ temporalUiUrl: uiUrl }),
    clickhouseUrl: withCredentials(config),
    clickhouseDatabase: config.clickhouse.database,
    ...present({ schemaRegistryUrl: config.schemaRegistry.url }),
  };

  function withCredentials({ clickhouse }: StackConfig): string {
    if (clickhouse.url === undefined) return `http://${local('clickhouse')}`;
    if (clickhouse.username === undefined && clickhouse.password === undefined) return clickhouse.url;
    const url = new URL(clickhouse.url);
    url.username = encodeURIComponent(clickhouse.username ?? url.username);
    url.password = encodeURIComponent(clickhouse.password ?? url.password);
    return url.href;
  }
}

/** The variables that hand these addresses and this configuration to another process, without any look-up there. */
export function environmentOf(config: StackConfig, addresses: ServiceAddresses): Record<string, string> {
  return {
    AZR_DATA_DIR: config.dataDir,
    AZR_KAFKA_BROKERS: addresses.kafkaBrokers.join(','),
    AZR_TEMPORAL_ADDRESS: addresses.temporalAddress,
    AZR_TEMPORAL_NAMESPACE: addresses.temporalNamespace,
    ...present({ AZR_TEMPORAL_UI_URL: addresses.temporalUiUrl }),
    AZR_CLICKHOUSE_URL: addresses.clickhouseUrl,
    AZR_CLICKHOUSE_DATABASE: addresses.clickhouseDatabase,
    ...present({ AZR_SCHEMA_REGISTRY_URL: addresses.schemaRegistryUrl }),
    AZR_TENSORFLOW_THREADS: String(config.threads.tensorflow),
    AZR_SANDBOX_WORKERS: String(config.threads.sandbox),
    AZR_SANDBOX_PACKAGES: config.sandbox.packages.join(','),
  };
}

function findFile(named: string | undefined, cwd: string): string | undefined {
  if (named !== undefined) {
    const file = path.resolve(cwd, named);
    if (!existsSync(file))
      throw new UsageError(`the configuration file ${file} does not exist (AZR_CONFIG or --config names it)`);
    return file;
  }
  return [path.join(cwd, 'azr.config.yaml'), path.join(repositoryRoot(), 'azr.config.yaml')].find((file) =>
    existsSync(file),
  );
}

function readMapping(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    if (!(error instanceof YAMLParseError))
      throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
    const at = error.linePos?.[0];
    throw new UsageError(
      `${file}${at === undefined ? '' : `, line ${at.line}, column ${at.col}`} is not YAML: ${error.message.split('\n')[0] ?? ''}`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(
      `${file} holds no mapping of keys to values; a configuration is one, as in: dataDir: .azr`,
    );
  // A group whose keys are all commented out reads as null.
  const groups = Object.entries(value).filter(([key, held]) => !(key in GROUPS && held === null));
  return Object.fromEntries(groups);
}

function check(raw: unknown, origin: string): z.infer<typeof fileSchema> {
  const parsed = fileSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new UsageError(`${origin}: ${parsed.error.issues.map((issue) => describe(issue, raw)).join('; ')}`);
}

function describe(issue: z.core.$ZodIssue, raw: unknown): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const group = GROUPS[at as keyof typeof GROUPS] as { shape: object } | undefined;
    const known = Object.keys(group?.shape ?? fileSchema.shape);
    return issue.keys
      .map((key) => {
        const near = nearest(key, known);
        return `key ${at === '' ? key : `${at}.${key}`} is unknown${near === undefined ? '' : `; did you mean ${near}?`} (accepted here: ${known.join(', ')})`;
      })
      .join('; ');
  }
  const value = issue.path.reduce<unknown>(
    (node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key],
    raw,
  );
  // The value of a secret is no one's business.
  const shown = at === 'clickhouse.password' ? 'not accepted' : JSON.stringify(value);
  return `${at === '' ? 'the whole' : at} is ${shown}: ${whyNot(issue)}`;
}

/** A union's own message tells nothing: the list of brokers is the only one. */
const whyNot = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_union' ? BROKERS : issue.message;

function applyVariables(
  raw: Record<string, unknown>,
  env: NonNullable<LoadOptions['env']>,
  cwd: string,
): void {
  for (const [variable, [first, second]] of Object.entries(VARIABLES)) {
    const text = nonEmpty(env[variable]);
    if (text === undefined) continue;
    const value = valueOf(variable, text, cwd);
    const next: Record<string, unknown> =
      second === undefined
        ? { [first]: value }
        : { [first]: { ...(raw[first] as Record<string, unknown> | null | undefined), [second]: value } };
    const alone = fileSchema.safeParse(second === undefined ? next : { [first]: { [second]: value } });
    if (!alone.success) {
      const [issue] = alone.error.issues;
      throw new UsageError(
        `${variable} is ${variable.endsWith('PASSWORD') ? 'not accepted' : JSON.stringify(text)}: ${issue === undefined ? '' : whyNot(issue)}`,
      );
    }
    Object.assign(raw, next);
  }
}

function valueOf(variable: string, text: string, cwd: string): unknown {
  if (variable === 'AZR_DATA_DIR') return path.resolve(cwd, text);
  if (variable === 'AZR_KAFKA_BROKERS' || variable === 'AZR_SANDBOX_PACKAGES')
    return text.split(',').map((part) => part.trim());
  if (variable.endsWith('_THREADS') || variable.endsWith('_WORKERS')) return Number(text);
  return text;
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** Without the keys that are undefined. */
function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
