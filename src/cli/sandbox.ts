/** `azr sandbox exec | judge`: the sandbox by itself, for JSON lines. */
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { createSandbox } from '../sandbox/index.js';
import { execJsonl, judgeJsonl } from '../sandbox/jsonl.js';
import type { ExecutionClass } from '../sandbox/port.js';
import { EXIT } from './exit-codes.js';

interface SandboxCliOptions {
  readonly workers: string;
  readonly packages?: string;
  readonly unsafeNoIsolation?: boolean;
}

const CLASSES: readonly ExecutionClass[] = ['strict', 'batched', 'pure'];

export function addSandboxCommands(program: Command): void {
  const sandbox = program
    .command('sandbox')
    .description('run and judge programs in the sandbox, from JSON lines');
  sandbox
    .command('exec')
    .description(
      'lines {id, code, inputs: [text], limits?} in, lines {id, results, deterministic, cpuMs} out',
    )
    .argument('<file>', 'JSON lines, or - for standard input')
    .option('--seeds <n>', 'sandboxes that must agree: 1, 2 or 3', '1')
    .option(
      '--class <class>',
      `one of ${CLASSES.join(', ')}; default: the fastest that a static check allows`,
    )
    .option('--workers <n>', 'sandbox workers', '2')
    .option('--packages <names>', 'packages that programs may import, as in numpy,sympy; default: none')
    .option('--unsafe-no-isolation', 'run without a sandbox: the programs then have your rights')
    .action(async (file: string, options: SandboxCliOptions & { seeds: string; class?: string }) => {
      const seeds = Number(options.seeds);
      if (seeds !== 1 && seeds !== 2 && seeds !== 3)
        throw new UsageError(`--seeds is ${options.seeds}; accepted are 1, 2 and 3`);
      const chosen = CLASSES.find((known) => known === options.class);
      if (options.class !== undefined && chosen === undefined)
        throw new UsageError(`--class is ${options.class}; accepted are ${CLASSES.join(', ')}`);
      await withSandbox(options, async (box) =>
        execJsonl(box, await open(file), process.stdout, process.stderr, {
          seeds,
          ...(chosen === undefined ? {} : { class: chosen }),
        }),
      );
    });
  sandbox
    .command('judge')
    .description(
      'lines {id, kind, code, input?, output?, answer, pairs?} in, lines {id, correct, reason} out',
    )
    .argument('<file>', 'JSON lines, or - for standard input')
    .option('--workers <n>', 'sandbox workers', '2')
    .option('--packages <names>', 'packages that programs may import, as in numpy,sympy; default: none')
    .option('--unsafe-no-isolation', 'run without a sandbox: the programs then have your rights')
    .action(async (file: string, options: SandboxCliOptions) => {
      await withSandbox(options, async (box) =>
        judgeJsonl(box, await open(file), process.stdout, process.stderr),
      );
    });
}

async function withSandbox(
  options: SandboxCliOptions,
  work: (box: Awaited<ReturnType<typeof createSandbox>>) => Promise<number>,
): Promise<void> {
  const workers = Number(options.workers);
  if (!Number.isInteger(workers) || workers < 1 || workers > 64)
    throw new UsageError(`--workers is ${options.workers}; accepted are 1 to 64`);
  const box = await createSandbox({
    workers,
    packages: (options.packages ?? '').split(',').filter((name) => name !== ''),
    unsafeNoIsolation: options.unsafeNoIsolation ?? false,
  }).catch((error: unknown) => {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  });
  try {
    if ((await work(box)) > 0) process.exitCode = EXIT.usage;
  } finally {
    await box.close();
  }
}

async function open(file: string): Promise<Readable> {
  if (file === '-') return process.stdin;
  try {
    await access(file);
  } catch {
    throw new UsageError(`FILE is ${file}, which cannot be read; accepted is a file of JSON lines, or -`);
  }
  return createReadStream(file);
}
