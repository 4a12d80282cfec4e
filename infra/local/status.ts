/** What `azr status` tells of the stack. */
export type ServiceState = 'running' | 'starting' | 'stopped' | 'failed' | 'external';

export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState;
  readonly pid?: number;
  readonly address?: string;
  /** Seconds since its first healthy answer. */
  readonly uptimeS?: number;
  readonly restarts: number;
  readonly rssMiB?: number;
  /** Why it is not running, or what happened last. */
  readonly detail?: string;
}

export interface StackStatus {
  readonly dataDir: string;
  /** Process id of the supervisor; absent where none runs. */
  readonly supervisor?: number;
  readonly services: readonly ServiceStatus[];
}
