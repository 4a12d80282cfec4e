import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { AzrEvent } from '../../schemas/generated/events.js';
import type { CheckpointRef } from '../policy/port.js';
import { fact, type FactOrigin } from './facts.js';

/** CheckpointSaved, with the folder relative to the data folder so that the log can move between machines. */
export async function checkpointFact(
  origin: FactOrigin,
  checkpoint: CheckpointRef,
  dataFolder: string,
  parentDigest: string | null,
  warmUp: boolean,
): Promise<AzrEvent> {
  let bytes = 0;
  for (const file of await readdir(checkpoint.folder))
    bytes += (await stat(path.join(checkpoint.folder, file))).size;
  return fact(origin, 'CheckpointSaved', [checkpoint.version, checkpoint.digest], {
    version: checkpoint.version,
    folder: path.relative(dataFolder, checkpoint.folder),
    digest: checkpoint.digest,
    parentDigest,
    bytes,
    warmUp,
  });
}
