// The npm packages, exactly as package-lock.json has them. A stamp in node_modules holds the lock's digest.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findOnPath, runAttached } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

const STAMP = '.azr-lock-sha';

/**
 * True when what npm says is installed is what the lock file wants; packages for other systems may be absent.
 * @param {object} lock package-lock.json
 * @param {object} installed node_modules/.package-lock.json
 */
export function sameTree(lock, installed) {
  const wanted = Object.entries(lock.packages ?? {}).filter(([place]) => place !== '');
  const found = installed.packages ?? {};
  const present = wanted.filter(([place]) => found[place] !== undefined);
  return (
    present.length === Object.keys(found).length &&
    present.every(([place, { version, integrity }]) => {
      const there = found[place];
      return there.version === version && there.integrity === integrity;
    }) &&
    wanted.every(([place, entry]) => found[place] !== undefined || entry.optional === true)
  );
}

/** A tree that somebody's own `npm ci` has made is taken over as it is. */
async function isInstalled(root, lockText) {
  try {
    const installed = JSON.parse(
      await readFile(path.join(root, 'node_modules', '.package-lock.json'), 'utf8'),
    );
    const places = Object.keys(installed.packages);
    return (
      sameTree(JSON.parse(lockText), installed) &&
      places.every((place) => existsSync(path.join(root, place, 'package.json')))
    );
  } catch {
    return false;
  }
}

/** @param {{root: string, log: (line: string) => void}} options */
export async function ensurePackages({ root, log }) {
  const lockText = await readFile(path.join(root, 'package-lock.json'), 'utf8');
  const digest = createHash('sha256').update(lockText).digest('hex');
  const stamp = path.join(root, 'node_modules', STAMP);
  const detail = 'packages as in package-lock.json';
  const stamped = await readFile(stamp, 'utf8').catch(() => '');
  if (stamped.trim() === digest) return { state: 'present', detail };
  if (await isInstalled(root, lockText)) {
    await writeFile(stamp, `${digest}\n`);
    return { state: 'present', detail };
  }
  await npmCi(root, log);
  await writeFile(stamp, `${digest}\n`);
  return { state: 'installed', detail };
}

async function npmCi(root, log) {
  // Under `npm start` this is the very npm that the user runs.
  const { npm_execpath: own } = process.env;
  const npm = own?.endsWith('npm-cli.js') ? [process.execPath, own] : [findOnPath('npm')];
  if (npm[0] === undefined)
    throw new SetupError('npm is not on PATH', 'install Node with its npm from https://nodejs.org');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  log(`npm ${args.join(' ')} (about 1 GB on disk; takes a minute or two)`);
  const code = await runAttached(npm[0], [...npm.slice(1), ...args], { cwd: root });
  if (code !== 0) throw new SetupError(`npm ci ended with ${code}; what it says stands above`, 'npm ci');
}
