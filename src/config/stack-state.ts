/**
 * What the running local stack has written down for other processes: `state/stack.json` (ports, kept between runs) and
 * `state/supervisor.json` (who runs it). A process is named by its id and its start time, since ids come back.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Loopback ports of the local services. */
export interface StackPorts {
  readonly kafka: number;
  readonly kafkaController: number;
  readonly temporal: number;
  readonly temporalUi: number;
  /** The Temporal frontend's HTTP interface: its health is asked there. */
  readonly temporalHttp: number;
  readonly clickhouse: number;
}

/** `state/stack.json`. */
export interface StackState {
  /** Random; marks the processes of this stack. */
  readonly stackId: string;
  /** Cluster id of the Kafka data folder. */
  readonly kafkaClusterId: string;
  readonly ports: StackPorts;
}

/** A process that cannot be taken for another one. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly startTime: string;
}

/** `state/supervisor.json`; only its user may read it. */
export interface SupervisorState extends ProcessIdentity {
  readonly controlPort: number;
  readonly token: string;
}

export const stateFile = (dataDir: string, name: string): string =>
  path.join(dataDir, 'state', `${name}.json`);

/** A state file's content; undefined where it does not exist. @throws where it is no JSON. */
export function readState<T>(dataDir: string, name: string): T | undefined {
  const file = stateFile(dataDir, name);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Error(`${file} is damaged; remove it (ports are then chosen anew, data is kept)`);
  }
}

/** The start time of a process; undefined where it does not run (a zombie does not). */
export function processStartTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field, the command in brackets, may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

export function isAlive(process: ProcessIdentity): boolean {
  return processStartTime(process.pid) === process.startTime;
}

/** The supervisor of the stack in this data folder; undefined where none runs. */
export function runningSupervisor(dataDir: string): SupervisorState | undefined {
  const state = readState<SupervisorState>(dataDir, 'supervisor');
  return state !== undefined && isAlive(state) ? state : undefined;
}
