/**
 * The supervisor's process: --data-dir DIR. Reads the configuration that `azr up` has written to state/plan.json, starts
 * nothing until it is told to, and ends by POST /down, SIGTERM or SIGINT, after its processes.
 */
import { parseArgs } from 'node:util';
import type { StackConfig } from '../../src/config/stack.js';
import { readState, type StackState, type SupervisorState } from '../../src/config/stack-state.js';
import { serveControl } from './control.js';
import { fingerprintOf, processSpecs } from './plan.js';
import { identityOf } from './processes.js';
import { rotate } from './logs.js';
import { logFile, removeState, writeState } from './state-files.js';
import { Supervisor } from './supervisor.js';

const { values } = parseArgs({ options: { 'data-dir': { type: 'string' } } });
const dataDir = values['data-dir'];
const config = dataDir === undefined ? undefined : readState<StackConfig>(dataDir, 'plan');
const state = dataDir === undefined ? undefined : readState<StackState>(dataDir, 'stack');
if (dataDir === undefined || config === undefined || state === undefined) {
  process.stderr.write('usage: supervisor-main --data-dir DIR (azr up prepares DIR and starts this)\n');
  process.exit(2);
}
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
};

const supervisor = new Supervisor(await processSpecs(config, state), dataDir, state.stackId, say);
const fingerprint = fingerprintOf(config);
let ending: Promise<void> | undefined;
const down = (why: string): void => {
  ending ??= (async () => {
    say(`ending: ${why}`);
    await supervisor.stopAll();
    control.server.close();
    removeState(dataDir, 'children');
    removeState(dataDir, 'supervisor');
    say('ended');
    process.exit(0);
  })();
};
const control = await serveControl({
  status: () => ({ fingerprint, services: supervisor.status() }),
  start: (names) => {
    if (ending === undefined) supervisor.start(names);
  },
  restart: (name) => supervisor.restart(name),
  down: () => down('asked to'),
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => down(signal));
process.on('SIGHUP', () => undefined); // the terminal that started it may close
setInterval(() => rotate(logFile(dataDir, 'supervisor')), 60_000).unref();

const self = identityOf(process.pid);
if (self === undefined) throw new Error('this process is not in /proc');
writeState(dataDir, 'supervisor', {
  ...self,
  controlPort: control.port,
  token: control.token,
} satisfies SupervisorState);
say(`supervisor ready, process ${process.pid}`);
