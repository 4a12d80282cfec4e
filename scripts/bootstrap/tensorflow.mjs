// The TensorFlow library and the native addon of @tensorflow/tfjs-node-gpu, without running the package's own install script.
//
// Of the library there are two builds: for a CPU, and, where an NVIDIA driver is found or AZR_TENSORFLOW=cuda asks for it, the
// CUDA build with NVIDIA's libraries, which falls back to the CPU where it finds no device.
//
// Kept in the cache: libtensorflow-<version>[-cuda]/{lib,include,nvidia} and the compiled addon, by the digest of what it is
// built from. Under node_modules only links. Sources of the library, in order: PyPI wheels, whose two shared objects export
// the C interface and whose digests are pinned; then, for a CPU, the official C library archive, which has no published digest.
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
// The CUDA build and the libraries that it was built for: what its metadata names under `and-cuda`, without what it opens only
// to trace, to compile or to speak to other devices (CUPTI, NVCC, NVRTC, cuRAND, NCCL).
const CUDA_WHEEL = {
  requirement: `tensorflow==${VERSION}`,
  size: '615 MB',
  platforms: WHEEL.platforms,
  sha256: 'c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828',
  url: 'https://files.pythonhosted.org/packages/45/c6/05d862ebeaaf63343dffc4f97dab62ac493e8c2bbc6b1a256199bcc78ed4/tensorflow-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
};
const NVIDIA_WHEELS = [
  [
    'cuda_runtime_cu12-12.5.82',
    '1 MB',
    '71/05/80f3fe49e9905570bc27aea9493baa1891c3780a7fc4e1f872c7902df066',
    '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115',
  ],
  [
    'cublas_cu12-12.5.3.2',
    '363 MB',
    'f9/43/a5365b345c989d9f7de2f2406e59b4a792ba3541b5d47edda5031b2730a6',
    'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b',
  ],
  [
    'cudnn_cu12-9.3.0.75',
    '577 MB',
    '8e/56/bb5c08a8d401fc1b21a10e9c58907e70e8f18bdfca34b7ecfb87bbcdad63',
    '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d',
  ],
  [
    'cufft_cu12-11.2.3.61',
    '193 MB',
    'e4/85/f18c88f63489cdced17b06d3b627adca8add7d7b8cce8c11213e93a902b4',
    '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8',
  ],
  [
    'cusolver_cu12-11.6.3.83',
    '130 MB',
    '33/73/57fbf55b3f378a73faecde397a0927ea205b458f06573dfb191b7d9fd1d3',
    '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
  ],
  [
    'cusparse_cu12-12.5.1.3',
    '218 MB',
    'b3/29/03726191334fa523d9654e3dacca5cc152f24bb9fa1a5721e4dddac7a8c5',
    '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752',
  ],
  [
    'nvjitlink_cu12-12.5.82',
    '21 MB',
    '75/bc/e0d0dbb85246a086ab14839979039647bce501d8c661a159b8b019d987b7',
    'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212',
  ],
].map(([name, size, address, sha256]) => ({
  requirement: `nvidia-${name.replaceAll('_', '-').replace(/-(?=[0-9.]+$)/, '==')}`,
  size,
  platforms: ['manylinux2014_x86_64'],
  sha256,
  url: `https://files.pythonhosted.org/packages/${address}/nvidia_${name}-py3-none-manylinux2014_x86_64.whl`,
}));

const BUILDS = ['auto', 'cpu', 'cuda'];
// What an NVIDIA driver puts there, on a machine of its own and under WSL.
const DRIVER_SIGNS = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'];

/**
 * Which build is due.
 * @param {string | undefined} asked AZR_TENSORFLOW
 * @param {(file: string) => boolean} exists
 * @returns {{build: 'cpu' | 'cuda', reason: string}}
 * @throws SetupError naming the value where it is none of auto, cpu, cuda
 */
export function tensorflowBuild(asked = 'auto', exists = existsSync) {
  if (!BUILDS.includes(asked))
    throw new SetupError(
      `AZR_TENSORFLOW is ${asked}; accepted are ${BUILDS.join(', ')}`,
      'unset AZR_TENSORFLOW',
    );
  if (asked !== 'auto') return { build: asked, reason: 'AZR_TENSORFLOW' };
  const sign = DRIVER_SIGNS.find((file) => exists(file));
  return sign === undefined
    ? { build: 'cpu', reason: 'no NVIDIA driver' }
    : { build: 'cuda', reason: `an NVIDIA driver is here (${sign})` };
}

// Google's C archive is published for 2.18.0, the same interface.
const ARCHIVE =
  'https://storage.googleapis.com/tensorflow/versions/2.18.0/libtensorflow-cpu-linux-x86_64.tar.gz';

const UNPACK_MS = 300_000;
const COMPILE_MS = 600_000;

/** Where the library of the build that is due stands in the cache. @throws SetupError as tensorflowBuild does */
export const tensorflowFolder = (cacheDir, asked) =>
  path.join(cacheDir, `libtensorflow-${VERSION}${tensorflowBuild(asked).build === 'cuda' ? '-cuda' : ''}`);

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
  const { build, reason } = tensorflowBuild(process.env.AZR_TENSORFLOW);
  const library = tensorflowFolder(cacheDir, build);
  let installed = false;
  if (!existsSync(path.join(library, '.complete'))) {
    if (build === 'cuda')
      log(`${reason}: the CUDA build, 2.1 GB to download (AZR_TENSORFLOW=cpu takes the other, 230 MB)`);
    await installLibrary(library, build, cacheDir, log);
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
  return { state: installed ? 'installed' : 'present', detail: `libtensorflow ${VERSION} (${build})` };
}

async function installLibrary(library, build, cacheDir, log) {
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(path.join(cacheDir, 'tensorflow-'));
  try {
    const staged = path.join(work, 'staged');
    await mkdir(path.join(staged, 'lib'), { recursive: true });
    if (build === 'cuda') await fromCudaWheels(work, staged, log);
    else await forCpu(work, staged, log);
    await writeFile(path.join(staged, '.complete'), '');
    await rm(library, { recursive: true, force: true });
    await rename(staged, library);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function forCpu(work, staged, log) {
  // The official archive has no published digest to pin and an older patch release: it serves only where PyPI does not.
  try {
    await fromWheel(WHEEL, work, staged, log);
  } catch (error) {
    log(`the wheel could not be had (${reasonOf(error)}); trying the official archive`);
    await fromArchive(work, staged, error);
  }
}

async function fromCudaWheels(work, staged, log) {
  try {
    await fromWheel(CUDA_WHEEL, work, staged, log);
    for (const wheel of NVIDIA_WHEELS) await fromWheel(wheel, work, staged, log);
  } catch (error) {
    throw new SetupError(
      `the CUDA build of TensorFlow cannot be had (${reasonOf(error)})`,
      'connect to a network that reaches PyPI and run it again, or set AZR_TENSORFLOW=cpu',
      { cause: error },
    );
  }
}

/** What is unpacked is removed: a wheel of 600 MB need not lie beside the next one. */
async function fromWheel(wheel, work, staged, log) {
  const folder = await mkdtemp(path.join(work, 'wheel-'));
  const file = await fetchWheel(wheel, folder, log);
  log(`unpacking ${wheel.requirement}`);
  const python = findOnPath('python3.11') ?? findOnPath('python3');
  if (python === undefined) throw new SetupError('Python 3 is missing', 'apt-get install -y python3.11');
  await must(python, ['-c', UNPACK, file, staged], UNPACK_MS);
  await rm(folder, { recursive: true });
  if (wheel !== WHEEL && wheel !== CUDA_WHEEL) return;
  for (const [name, target] of [
    ['libtensorflow.so.2', 'libtensorflow_cc.so.2'],
    ['libtensorflow.so', 'libtensorflow_cc.so.2'],
    ['libtensorflow_framework.so', 'libtensorflow_framework.so.2'],
  ])
    await symlink(target, path.join(staged, 'lib', name));
}

/**
 * Of TensorFlow's wheel the two libraries and the headers of the C interface; of NVIDIA's the libraries, beneath nvidia/, where
 * TensorFlow looks for them from lib/. Nothing else of a wheel.
 */
const UNPACK = `
import sys, zipfile, os, shutil
wheel, out = sys.argv[1:3]
with zipfile.ZipFile(wheel) as z:
    for n in z.namelist():
        if n in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            t = os.path.join(out, 'lib', os.path.basename(n))
        elif n.startswith('tensorflow/include/') and n.endswith('.h') and any(p in n for p in ('tensorflow/c/', '/tsl/c/', 'ctstring')):
            t = os.path.join(out, 'include', n[len('tensorflow/include/'):])
        elif n.startswith('nvidia/') and '/lib/lib' in n and '.so' in n:
            t = os.path.join(out, n)
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
  const hash = createHash('sha256').update(path.basename(library));
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
