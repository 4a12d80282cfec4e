/** `azr sandbox exec | judge`: the sandbox by itself, for JSON lines. */
import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { execJsonl, judgeJsonl } from '../sandbox/jsonl.js';
import type { ExecutionClass } from '../sandbox/port.js';
import { answerLines, type SandboxLineOptions } from './sandbox-lines.js';

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
    .action(async (file: string, options: SandboxLineOptions & { seeds: string; class?: string }) => {
      const seeds = Number(options.seeds);
      if (seeds !== 1 && seeds !== 2 && seeds !== 3)
        throw new UsageError(`--seeds is ${options.seeds}; accepted are 1, 2 and 3`);
      const chosen = CLASSES.find((known) => known === options.class);
      if (options.class !== undefined && chosen === undefined)
        throw new UsageError(`--class is ${options.class}; accepted are ${CLASSES.join(', ')}`);
      await answerLines(file, options, (box, input) =>
        execJsonl(box, input, process.stdout, process.stderr, {
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
    .action(async (file: string, options: SandboxLineOptions) => {
      await answerLines(file, options, (box, input) =>
        judgeJsonl(box, input, process.stdout, process.stderr),
      );
    });
}
