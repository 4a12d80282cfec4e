// Programs of the operating system: bubblewrap, a Java runtime, Python 3.11, a C++ compiler. On Debian and Ubuntu root
// gets them installed; anyone else gets the one command to run.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ask, findOnPath, runAttached } from './programs.mjs';
import { SetupError } from './setup-error.mjs';
import { tensorflowFolder } from './tensorflow.mjs';

const OLDEST_JAVA = 17;
/** Places of the system first: a version manager's shim on PATH takes ten times as long to answer. */
const PYTHONS = ['/usr/bin/python3.11', 'python3.11', 'python3'];

/** The major version out of what `java -version` says: "17.0.15" is 17, "1.8.0_392" is 8. */
export function parseJavaVersion(said) {
  const found = /version "(?:1\.)?(\d+)/.exec(said)?.[1];
  return found === undefined ? undefined : Number(found);
}

async function hasJava() {
  const home = process.env.JAVA_HOME;
  const command = (home ? findOnPath('java', path.join(home, 'bin')) : undefined) ?? findOnPath('java');
  if (command === undefined) return false;
  const { code, stderr } = await ask(command, ['-version']);
  return code === 0 && (parseJavaVersion(stderr) ?? 0) >= OLDEST_JAVA;
}

/** A Python 3.11 that starts; undefined where there is none. */
export async function findPython311() {
  for (const candidate of PYTHONS) {
    const file = candidate.startsWith('/') ? candidate : findOnPath(candidate);
    if (file === undefined || !existsSync(file)) continue;
    const { code, stdout } = await ask(file, [
      '-I',
      '-S',
      '-c',
      'import sys; print("%d.%d" % sys.version_info[:2])',
    ]);
    if (code === 0 && stdout.trim() === '3.11') return file;
  }
  return undefined;
}

async function hasPip() {
  for (const name of ['python3.11', 'python3'])
    if (findOnPath(name) !== undefined && (await ask(name, ['-m', 'pip', '--version'])).code === 0)
      return true;
  return false;
}

/**
 * What is needed: what it is called, whether it is here, which packages bring it (the first that the distribution has).
 * A compiler and pip are needed only until the TensorFlow library stands in the cache.
 */
function needs({ cacheDir }) {
  const settled = existsSync(path.join(tensorflowFolder(cacheDir, process.env.AZR_TENSORFLOW), '.complete'));
  const addonBuilt = existsSync(path.join(cacheDir, 'tfjs-binding'));
  return [
    {
      name: 'bubblewrap (isolation of the sandbox)',
      here: () => findOnPath('bwrap') !== undefined,
      packages: ['bubblewrap'],
    },
    {
      name: `Java ${OLDEST_JAVA} or newer (the Kafka broker)`,
      unless: process.env.AZR_KAFKA_BROKERS,
      here: hasJava,
      packages: ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'openjdk-25-jre-headless'],
    },
    {
      name: 'Python 3.11 (the sandbox)',
      here: async () => (await findPython311()) !== undefined,
      packages: ['python3.11'],
    },
    {
      name: 'pip (fetches the TensorFlow library)',
      unless: settled,
      here: hasPip,
      packages: ['python3-pip'],
    },
    {
      name: 'a C++ compiler (builds the TensorFlow addon)',
      unless: settled && addonBuilt,
      here: () => ['g++', 'c++', 'clang++'].some((name) => findOnPath(name) !== undefined),
      packages: ['g++'],
    },
  ];
}

/** @param {{cacheDir: string, log: (line: string) => void}} options */
export async function ensureSystemPackages(options) {
  const missing = await missingOf(needs(options));
  const detail = 'bubblewrap, Java, Python 3.11, compiler';
  if (missing.length === 0) return { state: 'present', detail };
  const said = missing.map(({ name }) => name).join(', ');
  if (!(await isDebianLike()) || findOnPath('apt-get') === undefined)
    throw new SetupError(
      `missing on this system: ${said}`,
      `install ${missing.map(({ packages }) => packages[0]).join(', ')} (names as on Debian) with your system's package manager`,
    );
  if (process.getuid() !== 0)
    throw new SetupError(
      `missing on this system: ${said}`,
      `sudo apt-get update && sudo apt-get install -y ${missing.map(({ packages }) => packages[0]).join(' ')}`,
    );
  await aptInstall(missing, said, options.log);
  const still = await missingOf(missing);
  if (still.length > 0)
    throw new SetupError(
      `after the installation still missing: ${still.map(({ name }) => name).join(', ')}`,
      'see what apt-get said above',
    );
  return { state: 'installed', detail };
}

async function missingOf(list) {
  const here = await Promise.all(list.map((need) => need.unless || need.here()));
  return list.filter((_, i) => !here[i]);
}

async function isDebianLike() {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
}

async function aptInstall(missing, said, log) {
  log(`missing: ${said}. Installing with apt-get (running as root)`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = async (args) => {
    const code = await runAttached('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], { env });
    if (code !== 0)
      throw new SetupError(
        `apt-get ${args.join(' ')} ended with ${code}; what it says stands above`,
        `apt-get update && apt-get install -y ${missing.map(({ packages }) => packages[0]).join(' ')}`,
      );
  };
  await apt(['update']);
  const chosen = [];
  for (const { name, packages } of missing) {
    const found = await firstAvailable(packages);
    if (found === undefined)
      throw new SetupError(
        `${name}: this distribution has no package ${packages.join(', ')}`,
        packages[0] === 'python3.11'
          ? 'install CPython 3.11 by another way and put it on PATH, e.g. uv python install 3.11'
          : `install it by another way and put it on PATH`,
      );
    chosen.push(found);
  }
  await apt(['install', '-y', '--no-install-recommends', ...chosen]);
  log(`installed ${chosen.join(', ')}`);
}

async function firstAvailable(packages) {
  for (const name of packages) {
    const { stdout } = await ask('apt-cache', ['policy', name]);
    if (/Candidate: (?!\(none\))/.test(stdout)) return name;
  }
  return undefined;
}
