/** What the supervisor must know of a process. */

/** Healthy when it resolves; a reason when it rejects. The signal bounds it in time. */
export type Probe = (signal: AbortSignal) => Promise<void>;

export type Health =
  | { readonly kind: 'probe'; readonly probe: Probe }
  /** Healthy from the moment its log holds this line. */
  | { readonly kind: 'log'; readonly line: string };

/** A loopback port that must be free before the process starts, and the configuration key that names it. */
export interface PortClaim {
  readonly port: number;
  readonly key: string;
}

export interface RestartPolicy {
  /** First pause; doubles with each failure in a row, up to `maximumMs`. */
  readonly initialMs: number;
  readonly maximumMs: number;
  /** Failed starts in a row after which the process counts as failed; it is still tried every `maximumMs`. */
  readonly failedAfter: number;
  /** A life of this length ends the row of failures. */
  readonly stableMs: number;
}

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Beside the supervisor's own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly health: Health;
  readonly dependsOn: readonly string[];
  readonly ports: readonly PortClaim[];
  /** What people connect to; shown by `azr status`. */
  readonly address?: string;
  readonly restart: RestartPolicy;
  readonly stopSignal: NodeJS.Signals;
  /** Time between the stop signal and SIGKILL. */
  readonly graceMs: number;
  /** Time for the first healthy answer; a slow machine needs most of it. */
  readonly startMs: number;
  /** Before each start, e.g. the formatting of a folder. */
  readonly prepare?: () => Promise<void>;
  /** After the first healthy answer and before others may depend on it. */
  readonly onHealthy?: () => Promise<void>;
}

export const RESTART: RestartPolicy = { initialMs: 500, maximumMs: 30_000, failedAfter: 3, stableMs: 60_000 };
