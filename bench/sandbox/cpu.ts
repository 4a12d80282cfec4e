/**
 * CPU time of process trees from /proc: user and system time of every living process below the roots, and of the
 * children that each has waited for. The kernel scales these to what the scheduler counted; the unit is a clock tick.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

let ticksPerSecond: number | undefined;

/** Seconds used so far by the processes `roots`, all below them, and all that these have reaped. */
export function treeSeconds(roots: readonly number[]): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const processes = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // The name may hold blanks and brackets; what follows the last one is proc_pid_stat(5) from field 3 on.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
      processes.set(Number(entry), { parent: Number(fields[1]), ticks });
    } catch {
      // It ended between the listing and the reading; its parent has its time.
    }
  }
  const wanted = new Set(roots);
  const belongs = (pid: number): boolean => {
    if (wanted.has(pid)) return true;
    const parent = processes.get(pid)?.parent;
    return parent !== undefined && parent > 1 && belongs(parent);
  };
  let ticks = 0;
  for (const [pid, process] of processes) if (belongs(pid)) ticks += process.ticks;
  return ticks / ticksPerSecond;
}

export interface Cost {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of CPU, of everything that took part. */
  readonly cpu: number;
}

/** What `work` costs: wall time, and CPU by `cpuSeconds` before and after. */
export async function costOf<T>(
  cpuSeconds: () => number,
  work: () => Promise<T>,
): Promise<Cost & { readonly value: T }> {
  const cpu = cpuSeconds();
  const started = process.hrtime.bigint();
  const value = await work();
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  return { value, wall, cpu: cpuSeconds() - cpu };
}

/** User and system seconds of this process, all threads. */
export function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
