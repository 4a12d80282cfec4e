/** Processes of a stack whose supervisor was killed. */
import { isAlive, readState, type ProcessIdentity, type StackState } from '../../src/config/stack-state.js';
import { endProcesses, markedProcesses } from './processes.js';
import type { ChildRecord } from './supervisor.js';

const GRACE_MS = 20_000;

/** Those recorded, and those that carry the stack's mark. Call it only where no supervisor runs. */
export function findLeftovers(dataDir: string): ProcessIdentity[] {
  const found = new Map<number, ProcessIdentity>();
  for (const child of Object.values(readState<ChildRecord>(dataDir, 'children') ?? {}))
    if (isAlive(child)) found.set(child.pid, child);
  const stackId = readState<StackState>(dataDir, 'stack')?.stackId;
  if (stackId !== undefined) for (const one of markedProcesses(stackId)) found.set(one.pid, one);
  return [...found.values()];
}

/** Ends them, all at once: a worker whose service goes first loses nothing that is not in the log. */
export async function endLeftovers(dataDir: string, onProgress: (line: string) => void): Promise<void> {
  const left = findLeftovers(dataDir);
  if (left.length === 0) return;
  onProgress(
    `ending ${left.length} processes that a killed supervisor left: ${left.map(({ pid }) => pid).join(', ')}`,
  );
  await endProcesses(left, GRACE_MS);
}
