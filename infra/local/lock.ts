/** One `azr up` or `azr down` at a time in a data folder. */
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from '../../src/config/stack-state.js';
import { StackError } from './errors.js';
import { identityOf } from './processes.js';

const WAIT_MS = 300_000;

/** Runs `work` while no other process does the same; a lock whose holder is dead is taken over. */
export async function withLock<T>(dataDir: string, work: () => Promise<T>, onWait: () => void): Promise<T> {
  const file = path.join(dataDir, 'state', 'lock');
  const deadline = performance.now() + WAIT_MS;
  for (let told = false; !take(file); await sleep(200)) {
    const holder = holderOf(file);
    if (holder !== undefined && !isAlive(holder)) {
      takeAway(file, holder);
      continue;
    }
    if (performance.now() > deadline)
      throw new StackError(
        `process ${holder?.pid ?? 'unknown'} holds ${file} for ${WAIT_MS / 60_000} minutes; end it, or remove that file`,
      );
    if (!told) onWait();
    told = true;
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  let handle: number;
  try {
    handle = openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  writeSync(handle, JSON.stringify(identityOf(process.pid)));
  closeSync(handle);
  return true;
}

/** Removes a dead holder's lock, but not the one that a third process may have taken in the meantime. */
function takeAway(file: string, dead: ProcessIdentity): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = holderOf(aside);
  if (moved?.pid !== dead.pid || moved.startTime !== dead.startTime) linkSync(aside, file);
  rmSync(aside, { force: true });
}

/** Undefined while the holder is still writing. */
function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
