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

/**
 * Downloads, kept outside node_modules: AZR_CACHE_DIR, or the user's cache folder; absolute. An empty variable counts as
 * none. The set-up (scripts/bootstrap/cache.mjs) looks in the same place.
 */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = nonEmpty(env['XDG_CACHE_HOME']) ?? path.join(os.homedir(), '.cache');
  return path.resolve(nonEmpty(env['AZR_CACHE_DIR']) ?? path.join(base, 'absolute-zero'));
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
