/** Writes the state folder: each file whole or not at all, for its user's eyes only. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
    for (const folder of ['state', 'logs', 'data']) mkdirSync(path.join(dataDir, folder), { recursive: true });
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
