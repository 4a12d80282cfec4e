/** Processes of this machine by /proc: memory, groups, marks, and their end. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, processStartTime, type ProcessIdentity } from '../../src/config/stack-state.js';

/** The variable that marks every process of a stack. */
export const STACK_MARK = 'AZR_STACK_ID';
const PAGE_BYTES = 4096;

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = processStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** Resident memory in MiB; undefined where the process is gone. */
export function residentMiB(pid: number): number | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return Math.round((pages * PAGE_BYTES) / 2 ** 20);
  } catch {
    return undefined;
  }
}

/** Signals the process group that the process leads, or the process alone. False where it is gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  for (const target of [-pid, pid])
    try {
      process.kill(target, signal);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  return false;
}

/** Ends what is left of a process group whose leader has ended. */
export function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until none of the processes lives. False where one still does after `timeoutMs`. */
export async function waitForEnd(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}

/** Ends processes: SIGTERM to their groups, after the grace SIGKILL. */
export async function endProcesses(processes: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  for (const one of processes) if (isAlive(one)) signalGroup(one.pid, 'SIGTERM');
  if (await waitForEnd(processes, graceMs)) return;
  for (const one of processes) if (isAlive(one)) signalGroup(one.pid, 'SIGKILL');
  await waitForEnd(processes, 5000);
}

/**
 * All processes that carry the stack's mark in their environment, whoever their parent is now. This also finds a child
 * whose supervisor was killed before it could write the child's id down.
 */
export function markedProcesses(stackId: string): ProcessIdentity[] {
  const mark = `${STACK_MARK}=${stackId}`;
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    let environment: string;
    try {
      environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    } catch {
      continue; // gone meanwhile, or another user's
    }
    if (!environment.split('\0').includes(mark)) continue;
    const identity = identityOf(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}
