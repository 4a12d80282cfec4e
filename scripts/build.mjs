// Builds dist/: event types from schemas/*.avsc, then every TypeScript file transpiled one to one.
// Types are checked by `npm run typecheck`; here only syntax is stripped, so a build takes well under a second.
import { build } from 'esbuild';
import { cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const FOLDERS = ['schemas', 'workflows', 'pipelines', 'src', 'infra', 'bench'];
/** Files that code reads at run time and that therefore travel beside the compiled modules. */
const ASSETS = ['.avsc', '.py', '.sql', '.json'];

async function* walk(dir) {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(full);
    else yield full;
  }
}

async function filesOf(dir) {
  const files = [];
  for await (const file of walk(dir)) files.push(file);
  return files;
}

async function newestSource() {
  let newest = 0;
  const consider = async (file) => {
    newest = Math.max(newest, (await stat(file)).mtimeMs);
  };
  for (const folder of FOLDERS) {
    if (existsSync(path.join(root, folder)))
      for (const file of await filesOf(path.join(root, folder))) await consider(file);
  }
  await consider(path.join(root, 'package.json'));
  for (const script of await filesOf(path.join(root, 'scripts'))) await consider(script);
  return newest;
}

const stamp = path.join(root, 'dist', '.built');

/** True when dist/ is younger than every source file. */
export async function isFresh() {
  if (!existsSync(stamp)) return false;
  return (await stat(stamp)).mtimeMs >= (await newestSource());
}

export async function buildAll() {
  const generator = path.join(root, 'scripts', 'generate-event-types.mjs');
  if (existsSync(generator)) await (await import(pathToFileURL(generator).href)).generateEventTypes(root);
  const sources = [];
  const assets = [];
  for (const folder of FOLDERS) {
    if (!existsSync(path.join(root, folder))) continue;
    for (const file of await filesOf(path.join(root, folder))) {
      if (file.endsWith('.ts') && !file.endsWith('.d.ts')) sources.push(file);
      else if (ASSETS.some((ending) => file.endsWith(ending))) assets.push(file);
    }
  }
  // Written in place, orphans removed last: processes that are running keep the modules they need.
  const out = path.join(root, 'dist');
  await mkdir(out, { recursive: true });
  await build({
    entryPoints: sources,
    outdir: out,
    outbase: root,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  const expected = new Set([stamp]);
  for (const source of sources) {
    const target = path.join(out, path.relative(root, source)).replace(/\.ts$/, '.js');
    expected.add(target).add(`${target}.map`);
  }
  for (const asset of assets) {
    const target = path.join(out, path.relative(root, asset));
    await mkdir(path.dirname(target), { recursive: true });
    await cp(asset, target);
    expected.add(target);
  }
  for (const file of await filesOf(out)) if (!expected.has(file)) await rm(file, { force: true });
  await writeFile(stamp, '');
  return { sources: sources.length, assets: assets.length };
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const started = Date.now();
  const { sources, assets } = await buildAll();
  console.log(`built ${sources} modules and ${assets} assets into dist/ in ${Date.now() - started} ms`);
}
