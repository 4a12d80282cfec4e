import path from 'node:path';

/** Where a version lives: `<root>/<run>/v00042`. */
export function checkpointFolder(root: string, runId: string, version: number): string {
  return path.join(root, runId, `v${String(version).padStart(5, '0')}`);
}
