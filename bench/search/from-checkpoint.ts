/** A run's policy as the start of a search: its weights, with the grammar of the search's domain in place of their own. */
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { UsageError } from '../../src/config/errors.js';
import { contentOf, loadCheckpoint, saveCheckpoint } from '../../src/learner/checkpoint.js';
import type { CheckpointRef, ModelSpec } from '../../src/policy/port.js';

/**
 * @param from a checkpoint's folder, under .azr/checkpoints.
 * @param spec of the search's own policy: its grammar, and its context where that is longer, since rotary positions have no
 *   weights.
 * @param to folder of the copy.
 * @throws UsageError where the folder holds no checkpoint, or one of another vocabulary.
 */
export async function fromCheckpoint(from: string, spec: ModelSpec, to: string): Promise<CheckpointRef> {
  const text = await readFile(path.join(from, 'manifest.json'), 'utf8').catch(() => {
    throw new UsageError(
      `--from is ${from}; accepted are folders of checkpoints, as in .azr/checkpoints/RUN/v00040`,
    );
  });
  const { version } = JSON.parse(text) as { version: number };
  const digest = createHash('sha256').update(text).digest('hex');
  const loaded = await loadCheckpoint({ version, folder: from, digest });
  if (loaded.spec.vocabulary !== spec.vocabulary)
    throw new UsageError(
      `--from has a vocabulary of ${loaded.spec.vocabulary} symbols; accepted are those of the preset's domain, ${spec.vocabulary}`,
    );
  const { grammar: _, ...own } = loaded.spec;
  const joined = {
    ...own,
    context: Math.max(own.context, spec.context),
    ...(spec.grammar === undefined ? {} : { grammar: spec.grammar }),
  };
  return saveCheckpoint({ ...contentOf(loaded), spec: joined }, to, digest);
}
