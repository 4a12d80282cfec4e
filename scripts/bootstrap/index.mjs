// The set-up: a list of steps, each of which looks whether it already holds and mends what does not. Runs before any npm
// package is there, so nothing here imports one.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, ensureWritable, tidy } from './cache.mjs';
import { ensureIsolation } from './isolation.mjs';
import { ensureKafka } from './kafka.mjs';
import { ensureNode } from './node-version.mjs';
import { ensurePackages } from './packages.mjs';
import { ensureSystemPackages } from './system-packages.mjs';
import { ensureTemporal } from './temporal.mjs';
import { runSteps } from './steps.mjs';

/** The folder of package.json. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Services that the user's configuration names are not fetched. */
const givenBy = (variable) => () =>
  process.env[variable] ? { state: 'present', detail: `${variable} names one` } : undefined;

async function tensorflow(options) {
  const module = new URL('./tensorflow.mjs', import.meta.url);
  if (!existsSync(module)) return { state: 'present', detail: 'this checkout does not fetch it' };
  return (await import(module.href)).ensureTensorflow(options);
}

/**
 * Makes everything hold that `npm start` and `npm test` need.
 * @param {{root?: string, log?: (line: string) => void}} [options]
 * @throws {import('./setup-error.mjs').SetupError} what is missing and the command that mends it; `exitCode` 3
 */
export async function bootstrap({ root = ROOT, log = console.log } = {}) {
  const cacheDir = cacheDirectory();
  const steps = [
    { name: 'Node', ensure: () => ensureNode() },
    { name: 'cache', ensure: () => cacheStep(cacheDir) },
    { name: 'system', ensure: ensureSystemPackages },
    { name: 'packages', ensure: ensurePackages },
    { name: 'isolation', ensure: ensureIsolation },
    { name: 'Kafka', ensure: (options) => givenBy('AZR_KAFKA_BROKERS')() ?? ensureKafka(options) },
    { name: 'Temporal', ensure: (options) => givenBy('AZR_TEMPORAL_ADDRESS')() ?? ensureTemporal(options) },
    { name: 'TensorFlow', ensure: tensorflow },
  ];
  await runSteps(steps, { root, cacheDir }, log);
}

function cacheStep(cacheDir) {
  ensureWritable(cacheDir);
  tidy(cacheDir);
  return { state: 'present', detail: cacheDir };
}
