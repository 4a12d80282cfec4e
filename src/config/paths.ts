/** Where things are: the checkout, and the caches outside it. */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json, from a source file or its compiled twin under dist/. */
export function repositoryRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder)
      throw new Error('no package.json above this module: the installation is incomplete');
    folder = parent;
  }
  return folder;
}

/** Downloads, kept outside node_modules: AZR_CACHE_DIR, or the user's cache folder. */
export function cacheDirectory(): string {
  const { AZR_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return AZR_CACHE_DIR ?? path.join(XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'absolute-zero');
}
