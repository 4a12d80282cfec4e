// The TensorFlow library and the native addon of @tensorflow/tfjs-node-gpu, without running the package's own install script.
//
// Kept in the cache: libtensorflow-<version>/{lib,include}, and the compiled addon by the digest of what it is built from.
// Under node_modules only links. Sources of the library, in order: the PyPI wheel, whose two shared objects export the C
// interface and whose digest is pinned; then the official C library archive, which has no published digest.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { ask, findOnPath } from './programs.mjs';
import { reasonOf, SetupError } from './setup-error.mjs';
import { fetchWheel } from './wheel.mjs';

const VERSION = '2.18.1';
const WHEEL = {
  requirement: `tensorflow-cpu==${VERSION}`,
  size: '230 MB',
  platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
  sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
  url: 'https://files.pythonhosted.org/packages/b5/e1/b84084c57092caae04b6f0e1e741d52193b87f870125e22800d0cd57f147/tensorflow_cpu-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
};
// Google's C archive is published for 2.18.0, the same interface.
const ARCHIVE =
  'https://storage.googleapis.com/tensorflow/versions/2.18.0/libtensorflow-cpu-linux-x86_64.tar.gz';

const UNPACK_MS = 300_000;
const COMPILE_MS = 600_000;

/**
 * @param {{root: string, cacheDir: string, log?: (line: string) => void}} options
 * @returns {Promise<{state: 'present' | 'installed', detail: string}>}
 */
export async function ensureTensorflow({ root, cacheDir, log = () => undefined }) {
  const packageDir = path.join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
  if (!existsSync(packageDir))
    throw new SetupError('the package @tensorflow/tfjs-node-gpu is not installed', 'npm ci');
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SetupError(
      `platform is ${process.platform}-${process.arch}; accepted is linux-x64`,
      'use a Linux x86-64 machine or container',
    );
  const library = path.join(cacheDir, `libtensorflow-${VERSION}`);
  let installed = false;
  if (!existsSync(path.join(library, '.complete'))) {
    await installLibrary(library, cacheDir, log);
    installed = true;
  }
  const addon = await ensureAddon(packageDir, library, root, cacheDir, log);
  installed ||= addon.built;
  installed = (await link(path.join(library, 'lib'), path.join(packageDir, 'deps', 'lib'))) || installed;
  installed =
    (await link(path.join(library, 'include'), path.join(packageDir, 'deps', 'include'))) || installed;
  const napi = path.join(packageDir, 'lib', 'napi-v8');
  await mkdir(napi, { recursive: true });
  installed = (await link(addon.file, path.join(napi, 'tfjs_binding.node'))) || installed;
  return { state: installed ? 'installed' : 'present', detail: `libtensorflow ${VERSION}` };
}

async function installLibrary(library, cacheDir, log) {
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(path.join(cacheDir, 'tensorflow-'));
  try {
    const staged = path.join(work, 'staged');
    await mkdir(path.join(staged, 'lib'), { recursive: true });
    // The official archive has no published digest to pin and an older patch release: it serves only where PyPI does not.
    try {
      await fromWheel(work, staged, log);
    } catch (error) {
      log(`the wheel could not be had (${reasonOf(error)}); trying the official archive`);
      await fromArchive(work, staged, error);
    }
    await writeFile(path.join(staged, '.complete'), '');
    await rm(library, { recursive: true, force: true });
    await rename(staged, library);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fromWheel(work, staged, log) {
  const wheel = await fetchWheel(WHEEL, work, log);
  log('unpacking the library');
  const python = findOnPath('python3.11') ?? findOnPath('python3');
  if (python === undefined) throw new SetupError('Python 3 is missing', 'apt-get install -y python3.11');
  await must(python, ['-c', UNPACK, wheel, staged], UNPACK_MS);
  for (const [name, target] of [
    ['libtensorflow.so.2', 'libtensorflow_cc.so.2'],
    ['libtensorflow.so', 'libtensorflow_cc.so.2'],
    ['libtensorflow_framework.so', 'libtensorflow_framework.so.2'],
  ])
    await symlink(target, path.join(staged, 'lib', name));
}

/** The two libraries and the headers of the C interface, nothing else of the wheel. */
const UNPACK = `
import sys, zipfile, os, shutil
wheel, out = sys.argv[1:3]
with zipfile.ZipFile(wheel) as z:
    for n in z.namelist():
        if n in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            t = os.path.join(out, 'lib', os.path.basename(n))
        elif n.startswith('tensorflow/include/') and n.endswith('.h') and any(p in n for p in ('tensorflow/c/', '/tsl/c/', 'ctstring')):
            t = os.path.join(out, 'include', n[len('tensorflow/include/'):])
        else:
            continue
        os.makedirs(os.path.dirname(t), exist_ok=True)
        with z.open(n) as s, open(t, 'wb') as d:
            shutil.copyfileobj(s, d, 1 << 20)
`;

async function fromArchive(work, staged, cause) {
  let response;
  try {
    response = await fetch(ARCHIVE, { signal: AbortSignal.timeout(600_000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
  } catch (error) {
    throw new SetupError(
      `the TensorFlow library can be had neither from PyPI (${reasonOf(cause)}) nor from ${ARCHIVE} (${reasonOf(error)})`,
      'connect to a network that reaches PyPI and run it again',
      { cause: error },
    );
  }
  const file = path.join(work, 'libtensorflow.tar.gz');
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
  await must('tar', ['-xzf', file, '-C', staged], UNPACK_MS);
}

async function ensureAddon(packageDir, library, root, cacheDir, log) {
  const sources = path.join(packageDir, 'binding');
  const hash = createHash('sha256').update(VERSION);
  for (const file of (await readdir(sources)).sort()) hash.update(await readFile(path.join(sources, file)));
  const file = path.join(cacheDir, 'tfjs-binding', `${hash.digest('hex').slice(0, 16)}.node`);
  if (existsSync(file)) return { file, built: false };
  const compiler = ['g++', 'c++', 'clang++'].map((name) => findOnPath(name)).find(Boolean);
  if (compiler === undefined) throw new SetupError('a C++ compiler is missing', 'apt-get install -y g++');
  log('compiling the TensorFlow.js addon');
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await must(
      compiler,
      [
        '-O2',
        '-std=c++17',
        '-fPIC',
        '-shared',
        '-DNAPI_VERSION=8',
        '-DNODE_GYP_MODULE_NAME=tfjs_binding',
        '-w',
        `-I${packageDir}`,
        `-I${path.join(library, 'include')}`,
        `-I${path.join(root, 'node_modules', 'node-api-headers', 'include')}`,
        path.join(sources, 'tfjs_backend.cc'),
        path.join(sources, 'tfjs_binding.cc'),
        `-L${path.join(library, 'lib')}`,
        '-ltensorflow',
        '-ltensorflow_framework',
        `-Wl,-rpath,${path.join(library, 'lib')}`,
        '-o',
        temporary,
      ],
      COMPILE_MS,
    );
  } catch (error) {
    throw new SetupError(
      `the TensorFlow.js addon does not compile with ${compiler}: ${error.message.slice(0, 2000)}`,
      'apt-get install -y g++ (or the like of your distribution)',
      { cause: error },
    );
  }
  await rename(temporary, file);
  return { file, built: true };
}

/** @returns true when the link had to be made. */
async function link(target, at) {
  const present = await readlink(at).catch(() => undefined);
  if (present === target) return false;
  await mkdir(path.dirname(at), { recursive: true });
  await rm(at, { recursive: true, force: true });
  await symlink(target, at);
  return true;
}

/** @throws Error with what the program said on standard error where it fails */
async function must(file, args, timeoutMs) {
  const { code, stderr } = await ask(file, args, { timeoutMs });
  if (code !== 0) throw new Error(stderr.trim() || `${path.basename(file)} ended with ${code}`);
}
