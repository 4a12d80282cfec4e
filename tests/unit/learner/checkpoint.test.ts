import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  contentOf,
  CorruptCheckpointError,
  findCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  type Checkpoint,
} from '../../../src/learner/checkpoint.js';
import { initialModel } from '../../../src/policy/engine/model.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';

const spec = tinySpec({ layers: 1, width: 8, heads: 2, hidden: 12, context: 40 });
const checkpoint: Checkpoint = { version: 3, spec, steps: 17, ...initialModel(spec, 11) };

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'azr-checkpoint-'));
  folder = path.join(root, 'run', 'v00003');
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('checkpoints', () => {
  it('come back as they were saved', async () => {
    const ref = await saveCheckpoint(contentOf(checkpoint), folder, 'p');
    expect(ref).toMatchObject({ version: 3, folder });
    expect(await loadCheckpoint(ref)).toEqual(checkpoint);
  });

  it('have a digest that is a function of content and provenance', async () => {
    const { digest } = await saveCheckpoint(contentOf(checkpoint), folder, 'p');
    expect((await saveCheckpoint(contentOf(checkpoint), path.join(root, 'elsewhere'), 'p')).digest).toBe(
      digest,
    );
    expect((await saveCheckpoint(contentOf(checkpoint), folder, 'q')).digest).not.toBe(digest);
    const other = { ...checkpoint, ...initialModel(spec, 12) };
    expect((await saveCheckpoint(contentOf(other), folder, 'p')).digest).not.toBe(digest);
  });

  it('leave nothing unfinished beside them, and remove what others left', async () => {
    const left = `${folder}.999999.tmp`;
    await mkdir(left, { recursive: true });
    await saveCheckpoint(contentOf(checkpoint), folder, 'p');
    expect(await readdir(path.dirname(folder))).toEqual(['v00003']);
    expect((await readdir(folder)).sort()).toEqual([
      'manifest.json',
      'model.safetensors',
      'optimizer.safetensors',
      'spec.json',
    ]);
  });

  it('are found again by what they were made from, if whole', async () => {
    expect(await findCheckpoint(folder, 'p')).toBeUndefined();
    const ref = await saveCheckpoint(contentOf(checkpoint), folder, 'p');
    expect(await findCheckpoint(folder, 'p')).toEqual(ref);
    expect(await findCheckpoint(folder, 'q')).toBeUndefined();
    await writeFile(path.join(folder, 'spec.json'), '{}');
    expect(await findCheckpoint(folder, 'p')).toBeUndefined();
  });

  it.each(['model.safetensors', 'optimizer.safetensors', 'spec.json'])(
    'name a damaged or missing %s',
    async (name) => {
      const ref = await saveCheckpoint(contentOf(checkpoint), folder, 'p');
      const file = path.join(folder, name);
      const bytes = await readFile(file);
      bytes[bytes.length >> 1]! ^= 4;
      await writeFile(file, bytes);
      await expect(loadCheckpoint(ref)).rejects.toThrow(CorruptCheckpointError);
      await expect(loadCheckpoint(ref)).rejects.toThrow(`${file} is damaged`);
      await rm(file);
      await expect(loadCheckpoint(ref)).rejects.toThrow(`${file} cannot be read (ENOENT)`);
    },
  );

  it('refuse a manifest that is not the one the log names', async () => {
    const ref = await saveCheckpoint(contentOf(checkpoint), folder, 'p');
    const other = await saveCheckpoint(contentOf(checkpoint), folder, 'q');
    await expect(loadCheckpoint(ref)).rejects.toThrow(
      `has SHA-256 ${other.digest}; the log says ${ref.digest}`,
    );
  });
});
