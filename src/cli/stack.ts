/** `azr up | down | status | doctor`: the local stack. */
import type { Command } from 'commander';
import { doctor, down, restartService, status, up, type StackStatus } from '../../infra/local/index.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table, tell } from './output.js';

export function addStackCommands(program: Command): void {
  program
    .command('up')
    .description('start the local stack (Kafka, Temporal, ClickHouse, workers), or what of it is not running')
    .option('--json', 'print the status as JSON')
    .action(async (options: { json?: boolean }) => {
      const stack = await up({ onProgress: options.json === true ? tell : say });
      printStatus(stack, options.json === true);
    });
  program
    .command('down')
    .description('stop the local stack; its state is kept')
    .action(async () => {
      await down({ onProgress: say });
    });
  program
    .command('restart')
    .description('restart one process of the local stack, as azr status names it')
    .argument('<process>')
    .action(async (name: string) => {
      await restartService(name, { onProgress: say });
    });
  program
    .command('status')
    .description('what runs, where it answers, since when')
    .option('--json', 'print as JSON')
    .action(async (options: { json?: boolean }) => printStatus(await status(), options.json === true));
  program
    .command('doctor')
    .description('check everything that a run needs, and say what to do about what is missing')
    .option('--json', 'print as JSON')
    .action(async (options: { json?: boolean }) => {
      const report = await doctor();
      if (options.json === true) sayJson(report);
      else
        for (const check of report.checks) {
          say(`${check.ok ? 'ok     ' : 'MISSING'} ${check.name}: ${check.detail}`);
          if (!check.ok && check.remedy !== undefined) say(`        -> ${check.remedy}`);
        }
      if (!report.checks.every((check) => check.ok)) process.exitCode = EXIT.missing;
    });
}

function printStatus(stack: StackStatus, json: boolean): void {
  if (json) sayJson(stack);
  else
    say(
      table(
        stack.services.map((service) => ({
          service: service.name,
          state: service.state,
          address: service.address ?? '',
          pid: service.pid ?? '',
          'up s': service.uptimeS ?? '',
          restarts: service.restarts,
          MiB: service.rssMiB ?? '',
          detail: service.detail ?? '',
        })),
      ),
    );
  if (stack.services.some((service) => service.state === 'failed')) process.exitCode = EXIT.service;
}
