/** `azr worker`: one process of the pipeline, by role, on any machine that reaches the services. */
import path from 'node:path';
import type { Command } from 'commander';
import { parseRoles, ROLES, runWorker } from '../activities/worker.js';
import { openSession, codeVersion } from './session.js';
import { say, tell } from './output.js';

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('carry out steps of runs (the local stack starts these by itself)')
    .requiredOption('--role <roles>', `what to do: ${ROLES.join(', ')}; several joined by commas`)
    .option(
      '--unsafe-no-isolation',
      'run programs without a sandbox: model-written code then has your rights',
    )
    .action(async (options: { role: string; unsafeNoIsolation?: boolean }) => {
      const roles = parseRoles(options.role);
      const { config, addresses } = await openSession();
      const stop = new AbortController();
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
      await runWorker({
        roles,
        addresses,
        checkpoints: path.join(config.dataDir, 'checkpoints'),
        codeVersion: codeVersion(),
        tensorflowThreads: config.threads.tensorflow,
        sandboxWorkers: config.threads.sandbox,
        sandboxPackages: config.sandbox.packages,
        unsafeNoIsolation: options.unsafeNoIsolation ?? false,
        signal: stop.signal,
        onReady: () => say('worker ready'),
        onError: (error) => tell(`${error.name}: ${error.message}; trying again`),
      });
      // Native parts keep handles of their own; everything that matters is closed by now.
      process.exit(0);
    });
}
