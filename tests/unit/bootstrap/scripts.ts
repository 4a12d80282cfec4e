/** The set-up scripts as tests see them: plain modules without types, since they run before any package is there. */
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface Jar {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface StepResult {
  readonly state: 'present' | 'installed';
  readonly detail: string;
}

export interface Step {
  readonly name: string;
  readonly ensure: (options: { readonly log: (line: string) => void }) => Promise<StepResult> | StepResult;
}

interface DownloadOptions {
  readonly sha256: string;
  readonly answerMs?: number;
  readonly attempts?: number;
  readonly env?: Record<string, string>;
}

interface Modules {
  'cache.mjs': {
    cacheDirectory: (env: Record<string, string>) => string;
    ensureWritable: (folder: string) => void;
    tidy: (folder: string, now?: number) => void;
    Unreachable: new (
      folder: string,
      now?: () => number,
    ) => { has(host: string): boolean; remember(host: string): void; forget(host: string): void };
  };
  'download.mjs': {
    download: (address: string, file: string, options: DownloadOptions) => Promise<void>;
    downloadText: (address: string, options?: Omit<DownloadOptions, 'sha256'>) => Promise<string>;
    DigestMismatch: new () => Error;
    HostUnreachable: new () => Error;
  };
  'kafka.mjs': {
    KAFKA_VERSION: string;
    ensureKafka: (options: {
      cacheDir: string;
      log: (line: string) => void;
      jars?: readonly Jar[];
      repository?: string;
    }) => Promise<StepResult>;
  };
  'node-version.mjs': {
    isNodeAccepted: (version: string) => boolean;
    ensureNode: (version?: string, platform?: string, arch?: string) => StepResult;
  };
  'packages.mjs': { sameTree: (lock: unknown, installed: unknown) => boolean };
  'proxy.mjs': { proxyFor: (url: URL, env: Record<string, string>) => URL | undefined };
  'smollm2.mjs': {
    downloadSmollm2: (options: {
      work: string;
      cacheDir: string;
      log: (line: string) => void;
      sources?: readonly string[];
      env?: Record<string, string>;
      hub?: object;
    }) => Promise<{ origin: string; files?: readonly string[]; gguf?: string }>;
  };
  'steps.mjs': {
    runSteps: (
      steps: readonly Step[],
      options: object,
      log: (line: string) => void,
    ) => Promise<{ installed: number }>;
  };
  'system-packages.mjs': { parseJavaVersion: (said: string) => number | undefined };
  'tensorflow.mjs': {
    tensorflowBuild: (
      asked?: string,
      exists?: (file: string) => boolean,
    ) => { build: string; reason: string };
    tensorflowFolder: (cacheDir: string, asked?: string) => string;
  };
  'temporal.mjs': { isTemporalAccepted: (said: string) => boolean };
  'zip.mjs': { extractFromZip: (archive: string, member: string, file: string) => Promise<void> };
}

/** One module of scripts/bootstrap. */
export async function load<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  return (await import(new URL(`../../../scripts/bootstrap/${name}`, import.meta.url).href)) as Modules[Name];
}

/** Runs work with a folder of its own. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-bootstrap-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs work against a server on a free loopback port. */
export async function withServer<T>(
  handler: http.RequestListener,
  work: (base: string) => Promise<T>,
): Promise<T> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
