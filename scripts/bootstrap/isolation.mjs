// Does isolation really start here? A throw-away sandbox with all its namespaces runs Python 3.11 once; the sandbox itself
// (src/sandbox) narrows the view further and checks again when it starts.
import { existsSync } from 'node:fs';
import { ask, findOnPath } from './programs.mjs';
import { SetupError } from './setup-error.mjs';
import { findPython311 } from './system-packages.mjs';

const NAMESPACES = ['user', 'pid', 'net', 'ipc', 'uts'].map((name) => `--unshare-${name}`);
const HOW_TO_ALLOW =
  'allow unprivileged user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), ' +
  'kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces above 0; in a container start it ' +
  'with a seccomp profile that permits unshare and mount (docker: --security-opt seccomp=unconfined)';

export async function ensureIsolation() {
  const bwrap = findOnPath('bwrap');
  if (bwrap === undefined)
    throw new SetupError('bubblewrap (bwrap) is not on PATH', 'apt-get install -y bubblewrap');
  const python = await findPython311();
  if (python === undefined) throw new SetupError('no Python 3.11 was found', 'apt-get install -y python3.11');
  // A version manager's shim is a script: inside, only the interpreter itself can be started.
  const real = (
    await ask(python, ['-I', '-S', '-c', 'import sys; print(sys._base_executable)'])
  ).stdout.trim();
  const dev = ['--dir', '/dev', ...(existsSync('/dev/null') ? ['--dev-bind', '/dev/null', '/dev/null'] : [])];
  const { code, stdout, stderr } = await ask(
    bwrap,
    [
      ...NAMESPACES,
      '--disable-userns',
      '--die-with-parent',
      '--new-session',
      '--cap-drop',
      'ALL',
      '--clearenv',
      '--ro-bind',
      '/',
      '/',
      ...dev,
      '--',
      real,
      '-I',
      '-S',
      '-c',
      'print(7)',
    ],
    { timeoutMs: 20_000 },
  );
  if (code === 0 && stdout.trim() === '7') return { state: 'present', detail: `bubblewrap starts ${real}` };
  const said = stderr.trim().split('\n').at(-1);
  if (/unknown option/i.test(said))
    throw new SetupError(
      `${bwrap} is too old (${said}); accepted is bubblewrap 0.8 or newer`,
      'apt-get install -y bubblewrap, on a distribution of 2023 or later',
    );
  throw new SetupError(`isolation does not start here: ${said || `bwrap ended with ${code}`}`, HOW_TO_ALLOW);
}
