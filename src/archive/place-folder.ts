/** Fills a folder beside its place and moves it there whole: half of it does not exist. What stood there is replaced. */
import { mkdir, rename, rm } from 'node:fs/promises';

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
