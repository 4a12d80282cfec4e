/** Writes the state folder: each file whole or not at all, for its user's eyes only. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateFile } from '../../src/config/stack-state.js';
import { StackError } from './errors.js';

export function writeState(dataDir: string, name: string, value: unknown): void {
  const file = stateFile(dataDir, name);
  const partial = `${file}.${process.pid}.tmp`;
  writeFileSync(partial, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(partial, file);
}

export function removeState(dataDir: string, name: string): void {
  rmSync(stateFile(dataDir, name), { force: true });
}

export const logFile = (dataDir: string, name: string): string => path.join(dataDir, 'logs', `${name}.log`);

/** Makes the folders of the stack. @throws StackError naming the folder and what to do where it cannot be written. */
export function ensureDataFolders(dataDir: string): void {
  try {
    for (const folder of ['state', 'logs', 'data']) makeFolder(path.join(dataDir, folder));
    const trial = path.join(dataDir, 'state', `.writable.${process.pid}`);
    writeFileSync(trial, '');
    rmSync(trial);
  } catch (error) {
    throw new StackError(
      `the data folder ${dataDir} cannot be written (${(error as Error).message}). Make it writable, or name another one with AZR_DATA_DIR or dataDir in azr.config.yaml`,
      'usage',
    );
  }
}

/**
 * Makes a folder and those above it, one after the other: Node's recursive mkdir never returns where a parent refuses with
 * ENOENT, as /proc does.
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (path.dirname(folder) !== folder) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
