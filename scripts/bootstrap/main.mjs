// What both entry points share: the set-up, the build, and how a failure is told.
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { EXIT } from './exit-codes.mjs';
import { bootstrap, ROOT } from './index.mjs';

/** Set-up, then dist/ where a source is younger than it. */
export async function prepare() {
  await bootstrap();
  // Only now: the builder needs packages.
  const { isFresh, buildAll } = await import(pathToFileURL(path.join(ROOT, 'scripts', 'build.mjs')).href);
  const started = performance.now();
  if (await isFresh()) {
    console.log('build  ok, skipped: dist/ is fresh');
    return;
  }
  const { sources, assets } = await buildAll();
  console.log(`build  ${sources} modules, ${assets} assets in ${Math.round(performance.now() - started)} ms`);
}

/** Runs an entry point; an expected failure is a sentence, a bug keeps its stack. */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    const expected = Number.isInteger(error?.exitCode);
    console.error(expected ? `error: ${error.message}` : error);
    process.exitCode = expected ? error.exitCode : EXIT.unexpected;
  }
}
