/** What the commands share that answer JSON lines with a sandbox. */
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { UsageError } from '../config/errors.js';
import { createSandbox, type LocalSandbox } from '../sandbox/index.js';
import { EXIT } from './exit-codes.js';

export interface SandboxLineOptions {
  readonly workers: string;
  readonly packages?: string;
  readonly unsafeNoIsolation?: boolean;
}

/**
 * Opens the file and a sandbox for `work`, which returns how many lines were malformed; with any the exit code is 2.
 * @param file a path, or - for standard input.
 */
export async function answerLines(
  file: string,
  options: SandboxLineOptions,
  work: (sandbox: LocalSandbox, input: Readable) => Promise<number>,
): Promise<void> {
  const workers = Number(options.workers);
  if (!Number.isInteger(workers) || workers < 1 || workers > 64)
    throw new UsageError(`--workers is ${options.workers}; accepted are 1 to 64`);
  await checkReadable(file);
  const sandbox = await createSandbox({
    workers,
    packages: (options.packages ?? '').split(',').filter((name) => name !== ''),
    unsafeNoIsolation: options.unsafeNoIsolation ?? false,
  }).catch((error: unknown) => {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  });
  try {
    const input = file === '-' ? process.stdin : createReadStream(file);
    if ((await work(sandbox, input)) > 0) process.exitCode = EXIT.usage;
  } finally {
    await sandbox.close();
  }
}

async function checkReadable(file: string): Promise<void> {
  if (file === '-') return;
  try {
    await access(file);
  } catch {
    throw new UsageError(`FILE is ${file}, which cannot be read; accepted is a file of JSON lines, or -`);
  }
}
