// Runs steps one after the other and says what each found or did, and how long it took.
import { performance } from 'node:perf_hooks';

/** A step holds already (one quiet line) or had to do something. */
function lineOf(name, { state, detail }, ms) {
  const verb = state === 'present' ? 'ok, skipped' : 'done';
  return (
    `setup  ${name.padEnd(10)} ${verb.padEnd(11)} ${ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`}`.padEnd(
      44,
    ) + detail
  );
}

/**
 * @param {{name: string, ensure: (options: object) => Promise<{state: 'present' | 'installed', detail: string}>}[]} steps
 * @param {object} options given to each step, with a `log` for its progress lines
 * @param {(line: string) => void} log
 * @returns {Promise<{installed: number, ms: number}>} how many steps had to do something
 * @throws what the first failing step throws; the steps after it are not begun
 */
export async function runSteps(steps, options, log) {
  const begun = performance.now();
  let installed = 0;
  for (const { name, ensure } of steps) {
    const started = performance.now();
    const found = await ensure({ ...options, log: (line) => log(`setup  ${name.padEnd(10)} ${line}`) });
    if (found.state === 'installed') installed += 1;
    log(lineOf(name, found, Math.round(performance.now() - started)));
  }
  const ms = Math.round(performance.now() - begun);
  log(`setup  complete in ${(ms / 1000).toFixed(1)} s${installed === 0 ? ': everything was there' : ''}`);
  return { installed, ms };
}
