/** Fills a folder beside its place and moves it there whole: half of it does not exist. What stood there is replaced. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { UsageError } from '../config/errors.js';

export async function placeFolder(to: string, fill: (beside: string) => Promise<void>): Promise<void> {
  const beside = `${to}.${process.pid}.tmp`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  try {
    await fill(beside);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
  await rm(to, { recursive: true, force: true });
  await rename(beside, to);
}

/** Before anything is written into a folder that a command's DIR names. @throws UsageError where something is there. */
export async function requireEmptyFolder(folder: string): Promise<void> {
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`DIR is ${folder}, which cannot be used: ${error.message}`);
  });
  if (there.length > 0)
    throw new UsageError(`DIR is ${folder}, which is not empty; accepted is a new or an empty folder`);
}
