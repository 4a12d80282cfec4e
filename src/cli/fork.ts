/** `azr fork RUN@ITERATION`: a new run from the state of another. */
import type { Command } from 'commander';
import { createEventLog } from '../../pipelines/kafka-event-log.js';
import { forkRun } from '../fork/fork-run.js';
import { say, sayJson } from './output.js';
import { collect, ensureStack, followToEnd, startFromLog } from './run.js';
import { parseRunPoint } from './run-point.js';
import { codeVersion, withTemporal } from './session.js';
import { unknownRun } from './unknown-run.js';

interface ForkFlags {
  readonly run?: string;
  readonly set: string[];
  readonly follow?: boolean;
  readonly json?: boolean;
}

export function addForkCommand(program: Command): void {
  program
    .command('fork')
    .description(
      'start a new run from the state of another: its buffer, counters and checkpoint as they were',
    )
    .argument('<run@iteration>', 'a completed iteration; 0 is after the warm-up; without @ the newest')
    .option('--run <id>', "the new run's name; default: RUN-at-ITERATION")
    .option('--set <key=value>', 'override any key of the configuration but those of the policy', collect, [])
    .option('--follow', 'watch it to its end and print the summary')
    .option('--json', 'print facts as JSON')
    .action(async (at: string, options: ForkFlags) => {
      const { run: parent, iteration } = parseRunPoint(at);
      const session = await ensureStack(options.json === true);
      const log = await createEventLog(session.addresses);
      const forked = await forkRun(log, {
        parent,
        ...(iteration === undefined ? {} : { iteration }),
        ...(options.run === undefined ? {} : { runId: options.run }),
        overrides: options.set,
        dataFolder: session.config.dataDir,
        codeVersion: codeVersion(),
      }).finally(() => log.close());
      if (forked === undefined) throw await unknownRun(session, parent);
      const { runId, logged, inherited } = forked;
      await withTemporal(session.addresses, async (client) => {
        await startFromLog(session, client, runId, logged, forked.config);
        const facts = { run: runId, parent, iteration: forked.iteration, inherited };
        if (options.json === true) sayJson(facts);
        else
          say(
            `run ${runId} goes on from ${parent} after iteration ${forked.iteration} (${inherited} facts taken over)`,
          );
        if (options.follow === true) await followToEnd(session, client, runId, options.json === true);
        else if (options.json !== true) say(`watch it with: npx azr watch ${runId}`);
      });
    });
}
