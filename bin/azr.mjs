#!/usr/bin/env node
// The command line of a checkout: builds what is stale (milliseconds), then hands over to the compiled CLI.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
if (!existsSync(path.join(root, 'node_modules', 'esbuild'))) {
  console.error(
    'azr: the packages are not installed here. Run `npm start` (or `node scripts/start.mjs --setup-only`) first.',
  );
  process.exit(3);
}
const { isFresh, buildAll } = await import('../scripts/build.mjs');
if (!(await isFresh())) await buildAll();
await import('../dist/src/cli/main.js');
