/** Finds programs without a shell. */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** The first executable file of this name in a list of folders as PATH has it. */
export function findOnPath(name: string, folders: string | undefined): string | undefined {
  for (const folder of (folders ?? '').split(path.delimiter)) {
    if (folder === '') continue;
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      continue;
    }
  }
  return undefined;
}
