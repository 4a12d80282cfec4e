/** tiny-work.ts by TensorFlow.js's kernels in plain script code, as JSON on standard output: what a device is held to. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { EagerBinding } from '../../src/policy/engine/eager/binding.js';
import { Native } from '../../src/policy/engine/native.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import { tinyWork } from './tiny-work.js';

await tf.setBackend('cpu');
const folder = await mkdtemp(path.join(os.tmpdir(), 'azr-plain-'));
try {
  const engine = new TensorflowEngine(1, new Native(new EagerBinding()));
  process.stdout.write(JSON.stringify(await tinyWork(engine, folder)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
