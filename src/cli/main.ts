/** `azr`: the command line. One file a group of commands; what they print and exit with is documented in --help. */
import { Command, CommanderError } from 'commander';
import { UsageError } from '../config/errors.js';
import { addDeadLetterCommands } from './dead-letters.js';
import { EXIT } from './exit-codes.js';
import { addExportCommands } from './export.js';
import { addForkCommand } from './fork.js';
import { addImportCommands } from './import.js';
import { addLearnerCommands } from './learner.js';
import { addMeasureCommand } from './measure.js';
import { addModelCommands } from './model.js';
import { tell } from './output.js';
import { addPresetCommands } from './presets.js';
import { addProjectionCommands } from './projection.js';
import { addReplayCommand } from './replay.js';
import { addRunCommands } from './run.js';
import { addSandboxCommands } from './sandbox.js';
import { addSeedCommands } from './seed.js';
import { addSqlCommand } from './sql.js';
import { addStackCommands } from './stack.js';
import { addWorkerCommand } from './worker.js';
import { codeVersion } from './session.js';

const program = new Command('azr')
  .description('Absolute Zero: run, replay, query and resume self-play experiments.')
  .version(codeVersion())
  .showSuggestionAfterError()
  .showHelpAfterError('(azr --help lists the commands)')
  .exitOverride()
  // An option belongs to the command it stands behind: `seed verify FILE --json` is not a --json of `seed`.
  .enablePositionalOptions()
  .addHelpText(
    'after',
    `
Exit codes:
  0 done   1 a bug   2 wrong argument, configuration or input   3 something is not installed
  4 a service does not answer   5 the run failed   6 a comparison found differences

A first evening:
  azr run tiny --follow                 self-play from nothing, about eight minutes
  azr sql "select kind, count() from task_history group by kind"
  azr replay RUN --from 3 --to 3        recompute an iteration from the log and compare
  azr resume RUN                        after a crash, from the step where it stopped`,
  );

addStackCommands(program);
addRunCommands(program);
addPresetCommands(program);
addSqlCommand(program);
addReplayCommand(program);
addForkCommand(program);
addExportCommands(program);
addImportCommands(program);
addDeadLetterCommands(program);
addProjectionCommands(program);
addSeedCommands(program);
addSandboxCommands(program);
addMeasureCommand(program);
addModelCommands(program);
addLearnerCommands(program);
addWorkerCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) {
    tell(`azr: ${error.message}`);
    return EXIT.usage;
  }
  const code = (error as { exitCode?: unknown }).exitCode;
  if (typeof code === 'number') {
    tell(`azr: ${(error as Error).message}`);
    return code;
  }
  tell(`azr: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT.unexpected;
}
