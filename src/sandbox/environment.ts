/**
 * What the sandbox needs of the machine: Linux on x86-64, bubblewrap with unprivileged user namespaces, Python 3.11.
 *
 * Python is pinned to 3.11 because results depend on it: from 3.12 on `sum()` of floats is compensated and last digits
 * differ. The arguments of bubblewrap made here are the outer layer of docs/SECURITY.md.
 */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPackages, PACKAGES_FOLDER, PACKAGE_VARIABLES, type Packages } from './packages.js';

export const PYTHON_VERSION = '3.11';
export const HARNESS_FOLDER = fileURLToPath(new URL('./harness', import.meta.url));
const HARNESS_FILES = ['supervisor.py', 'jobs.py', 'zygote.py', 'child.py', 'analysis.py', 'syntax.py'];
/** Where a Python 3.11 is looked for, in this order. */
const PYTHON_CANDIDATES = ['/usr/bin/python3.11', 'python3.11', 'python3'];

export interface EnvironmentOptions {
  readonly python?: string;
  readonly bwrap?: string;
  readonly unsafeNoIsolation?: boolean;
  /** Packages that programs may import beside the standard library, e.g. numpy, sympy. Default: none. */
  readonly packages?: readonly string[];
}

export interface Environment {
  /** Absolute path of the interpreter. */
  readonly python: string;
  /** Folder of its standard library's installation, e.g. `/usr`. */
  readonly prefix: string;
  /** Absolute path, or null without isolation. */
  readonly bwrap: string | null;
  readonly packages: Packages;
}

/** What is missing and what to do about it. */
export interface Missing {
  readonly ok: false;
  readonly missing: string;
  readonly remedy: string;
}

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ask(file: string, args: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 20_000, env: {}, cwd: '/' }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ code, stdout, stderr });
    });
  });
}

/** The file that a command name means on PATH; undefined where there is none. */
function which(command: string): string | undefined {
  if (command.includes('/')) return existsSync(command) ? path.resolve(command) : undefined;
  for (const folder of `${process.env['PATH'] ?? ''}:/usr/local/bin:/usr/bin:/bin`.split(':')) {
    const candidate = path.join(folder, command);
    if (folder.startsWith('/') && existsSync(candidate)) return candidate;
  }
  return undefined;
}

interface Python {
  readonly python: string;
  readonly prefix: string;
  /** As it was named: an environment of its own (venv) has packages that its base has not. */
  readonly named: string;
}

async function findPython(wanted: string | undefined): Promise<Python | Missing> {
  const seen: string[] = [];
  for (const candidate of wanted === undefined ? PYTHON_CANDIDATES : [wanted]) {
    const file = which(candidate);
    if (file === undefined) continue;
    const answer = await ask(file, [
      '-I',
      '-S',
      '-c',
      'import sys; print("%d.%d" % sys.version_info[:2]); print(sys._base_executable); print(sys.base_prefix)',
    ]);
    const [version, executable, prefix] = answer.stdout.trim().split('\n');
    if (answer.code === 0 && version === PYTHON_VERSION && executable !== undefined && prefix !== undefined)
      return { python: executable, prefix, named: file };
    seen.push(`${file} (${version === undefined || version === '' ? 'does not start' : version})`);
  }
  return {
    ok: false,
    missing: `Python ${PYTHON_VERSION}${seen.length > 0 ? `; found ${seen.join(', ')}` : ''}${wanted === undefined ? '' : ` at ${wanted}`}`,
    remedy: 'Debian 12: apt-get install python3.11; elsewhere install CPython 3.11 and name it with --python',
  };
}

/** Finds interpreter and bubblewrap and tries a namespace. Expected lacks are values. */
export async function findEnvironment(
  options: EnvironmentOptions = {},
): Promise<{ readonly ok: true; readonly environment: Environment } | Missing> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      ok: false,
      missing: `Linux on x86-64 (this is ${process.platform} on ${process.arch})`,
      remedy: 'run in the container of infra/docker-compose.yml, or on a Linux x86-64 machine',
    };
  const interpreter = await findPython(options.python);
  if ('ok' in interpreter) return interpreter;
  const { named, ...python } = interpreter;
  const found = await findPackages(ask, named, options.packages ?? []);
  if (!found.ok) return found;
  const { packages } = found;
  if (options.unsafeNoIsolation === true)
    return { ok: true, environment: { ...python, packages, bwrap: null } };
  const bwrap = which(options.bwrap ?? 'bwrap');
  if (bwrap === undefined)
    return {
      ok: false,
      missing: `bubblewrap (${options.bwrap ?? 'bwrap'} was not found)`,
      remedy: 'apt-get install bubblewrap (or the like of your distribution), or name it with --bwrap',
    };
  const environment: Environment = { ...python, packages, bwrap };
  const [command, args] = sandboxCommand(environment, { seed: 0, script: ['-c', 'print(7)'] });
  const probe = await ask(command, args);
  if (probe.code === 0 && probe.stdout.trim() === '7') return { ok: true, environment };
  const said = probe.stderr.trim().split('\n').slice(-2).join(' ');
  return /unknown option|disable-userns/i.test(said)
    ? { ok: false, missing: `bubblewrap 0.8 or newer (${said})`, remedy: 'upgrade bubblewrap' }
    : {
        ok: false,
        missing: `unprivileged user namespaces (${said || `bubblewrap ended with ${probe.code}`})`,
        remedy:
          'allow them: sysctl kernel.unprivileged_userns_clone=1 (Debian), ' +
          'kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces > 0; ' +
          'in a container allow unshare and mount in its seccomp profile',
      };
}

/**
 * Command and arguments that start Python in a sandbox. `seed` (0, 1, 2, ...) sets what must not change a result: hash
 * seed, host name and a noise variable.
 */
export function sandboxCommand(
  environment: Environment,
  { seed, script }: { readonly seed: number; readonly script?: readonly string[] },
): readonly [command: string, args: readonly string[]] {
  const python = [environment.python, '-s', '-S', '-B'];
  if (environment.bwrap === null)
    return [
      '/usr/bin/env',
      ['-i', ...variables(seed, environment).map(([k, v]) => `${k}=${v}`), ...python,
        ...(script ?? [path.join(HARNESS_FOLDER, 'supervisor.py')])],
    ]; // prettier-ignore
  const args = ['--unshare-user', '--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts'];
  args.push(
    '--unshare-cgroup-try',
    '--disable-userns',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
  );
  args.push('--uid', '65534', '--gid', '65534', '--hostname', `sandbox-${seed}`, '--clearenv');
  for (const [name, value] of variables(seed, environment)) args.push('--setenv', name, value);
  // Libraries and the interpreter, not the rest of /usr: programs can read what they see.
  for (const folder of ['/usr/lib', '/usr/lib64', '/lib', '/lib64']) args.push(...libraryFolder(folder));
  if (environment.prefix !== '/usr') args.push('--ro-bind', environment.prefix, environment.prefix);
  if (!environment.python.startsWith(`${environment.prefix}/`) || environment.prefix === '/usr')
    args.push('--ro-bind', environment.python, environment.python);
  args.push('--dir', '/dev', '--dev-bind', '/dev/null', '/dev/null', '--dir', '/tmp');
  for (const file of HARNESS_FILES)
    args.push('--ro-bind', path.join(HARNESS_FOLDER, file), `/sandbox/${file}`);
  for (const { name, path: host } of environment.packages.entries)
    args.push('--ro-bind', host, `${PACKAGES_FOLDER}/${name}`);
  args.push('--remount-ro', '/', '--chdir', '/');
  return [environment.bwrap, [...args, '--', ...python, ...(script ?? ['/sandbox/supervisor.py'])]];
}

function variables(seed: number, { packages, bwrap }: Environment): readonly (readonly [string, string])[] {
  const folders = bwrap === null ? packages.roots : [PACKAGES_FOLDER];
  return [
    ...(packages.entries.length === 0
      ? []
      : [...PACKAGE_VARIABLES, ['PYTHONPATH', folders.join(':')] as const]),
    ['LC_ALL', 'C.UTF-8'],
    ['PYTHONUTF8', '1'],
    ['PYTHONHASHSEED', String(seed)],
    ['NOISE', `noise-${'x'.repeat(17 * seed + 1)}`],
  ];
}

/** On merged-/usr systems /lib is a link; elsewhere a folder. */
function libraryFolder(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return lstatSync(folder).isSymbolicLink()
    ? ['--symlink', readlinkSync(folder), folder]
    : ['--ro-bind', folder, folder];
}
