// node bench/gpu/pack.mjs: the files, one a line, that `node dist/bench/gpu/index.js` loads on WebGPU, beside node itself; for
// a machine to which nothing else can be brought (tar cJf FILE -T LIST). Build first.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const GOLDEN = 'tests/golden/hugging-face';

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['dist/bench/gpu/index.js', 'dist/bench/gpu/plain.js'],
  outdir: 'unused',
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  external: ['@tensorflow/tfjs-node-gpu', '*.node'],
  metafile: true,
  logLevel: 'error',
});
const files = new Set(['package.json']);
for (const file of Object.keys(metafile.inputs)) {
  if (!existsSync(path.join(root, file))) continue;
  files.add(file);
  // What a package says of its entry points.
  for (let at = path.dirname(file); at.includes('node_modules/'); at = path.dirname(at))
    if (existsSync(path.join(root, at, 'package.json'))) files.add(`${at}/package.json`);
}
files.add(`node_modules/webgpu/dist/${process.platform}-${process.arch}/dawn.node`);
for (const entry of await readdir(path.join(root, GOLDEN), { recursive: true, withFileTypes: true }))
  if (entry.isFile()) files.add(path.relative(root, path.join(entry.parentPath, entry.name)));
console.log([...files].join('\n'));
