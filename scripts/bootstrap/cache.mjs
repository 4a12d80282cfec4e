// Where downloads are kept, and which sources lately did not answer. The folder is the one of src/config/paths.ts.
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SetupError } from './setup-error.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Work folders and unfinished files of this set-up. */
const LEFT_OVER = /^temporal-work-\w{6}$|\.partial$/;

/** AZR_CACHE_DIR, else $XDG_CACHE_HOME/absolute-zero, else ~/.cache/absolute-zero; absolute. */
export function cacheDirectory(env = process.env) {
  const base = env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.resolve(env.AZR_CACHE_DIR || path.join(base, 'absolute-zero'));
}

/** One folder after the other: Node's recursive mkdir never returns where a parent refuses with ENOENT, as /proc does. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  if (path.dirname(folder) !== folder) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another set-up may have been faster.
    if (error.code !== 'EEXIST') throw error;
  }
}

/** Makes the folder. @throws SetupError where it cannot be made or written. */
export function ensureWritable(folder) {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    if (error.code === undefined) throw error;
    throw new SetupError(
      `the cache folder ${folder} cannot be written (${error.code})`,
      `name a folder that can be written: AZR_CACHE_DIR=/some/folder npm start`,
    );
  }
}

/** Removes what interrupted downloads of other days have left. Another set-up may be at it, too. */
export function tidy(cacheDir, now = Date.now()) {
  const folders = [cacheDir, ...readdirSync(cacheDir).map((name) => path.join(cacheDir, name))];
  for (const folder of folders) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
    for (const name of readdirSync(folder).filter((entry) => LEFT_OVER.test(entry))) {
      const left = path.join(folder, name);
      const { mtimeMs = now } = statSync(left, { throwIfNoEntry: false }) ?? {};
      if (now - mtimeMs >= DAY_MS) rmSync(left, { recursive: true, force: true });
    }
  }
}

/** A host that did not answer is not asked again for a day: a time stamp a host under <cache>/unreachable/. */
export class Unreachable {
  constructor(cacheDir, now = Date.now) {
    this.folder = path.join(cacheDir, 'unreachable');
    this.now = now;
  }

  has(host) {
    try {
      const since = Date.parse(readFileSync(path.join(this.folder, host), 'utf8').trim());
      return this.now() - since >= 0 && this.now() - since < DAY_MS;
    } catch {
      return false;
    }
  }

  remember(host) {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(path.join(this.folder, host), `${new Date(this.now()).toISOString()}\n`);
  }

  forget(host) {
    rmSync(path.join(this.folder, host), { force: true });
  }
}
