// npm start: set up what is missing, build, start the local stack, run the tiny preset and follow it to its end.
//   npm start                          everything
//   npm start -- --setup-only          stop after the build
//   npm start -- --minutes 2 --seed 7  other arguments go to `azr run tiny --follow`
import path from 'node:path';
import { setImmediate } from 'node:timers';
import { EXIT } from './bootstrap/exit-codes.mjs';
import { ROOT } from './bootstrap/index.mjs';
import { prepare, runMain } from './bootstrap/main.mjs';
import { runAttached } from './bootstrap/programs.mjs';

const USAGE = `npm start [-- [--setup-only] [arguments of azr run tiny]]
  sets up what is missing, builds, starts the local stack (azr up), and runs: azr run tiny --follow
  exit codes: scripts/bootstrap/exit-codes.mjs`;

const azr = (args) =>
  runAttached(process.execPath, [path.join(ROOT, 'bin', 'azr.mjs'), ...args], { cwd: ROOT });

await runMain(async () => {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return EXIT.ok;
  }
  // Ctrl-C during the set-up ends it, after other listeners have passed it on; partial downloads never look complete.
  const onInt = () => setImmediate(() => process.exit(EXIT.interrupted));
  process.once('SIGINT', onInt);
  await prepare();
  if (args.includes('--setup-only')) return EXIT.ok;
  process.off('SIGINT', onInt);
  const up = await azr(['up']);
  if (up !== EXIT.ok) return up;
  return azr(['run', 'tiny', '--follow', ...args]);
});
