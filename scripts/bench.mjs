// npm run bench -- NAME [arguments]: builds, then runs bench/NAME. A bench is a folder with an index.ts or index.mjs.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { EXIT } from './bootstrap/exit-codes.mjs';
import { ROOT } from './bootstrap/index.mjs';
import { prepare, runMain } from './bootstrap/main.mjs';
import { runAttached } from './bootstrap/programs.mjs';

/** The file that runs a bench: compiled where it is TypeScript; undefined where there is none. */
function entryOf(name) {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return undefined;
  if (existsSync(path.join(ROOT, 'bench', name, 'index.ts')))
    return path.join(ROOT, 'dist', 'bench', name, 'index.js');
  const script = path.join(ROOT, 'bench', name, 'index.mjs');
  return existsSync(script) ? script : undefined;
}

async function benches() {
  const entries = await readdir(path.join(ROOT, 'bench'), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && entryOf(entry.name) !== undefined)
    .map(({ name }) => name)
    .sort();
}

await runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  const known = (await benches()).join(', ');
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(`npm run bench -- NAME [arguments]\n  benches: ${known}`);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const entry = entryOf(name);
  if (entry === undefined) {
    console.error(`error: bench is ${name}; accepted are ${known}`);
    return EXIT.usage;
  }
  await prepare();
  return runAttached(process.execPath, [entry, ...args], { cwd: ROOT });
});
