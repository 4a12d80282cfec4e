/** What activities are built from. Each role's worker makes these once; steps are factories over them. */
import type { EventLog } from '../../pipelines/event-log.js';
import type { PolicyEngine } from '../policy/port.js';
import type { Sandbox } from '../sandbox/port.js';
import type { BufferViews } from './buffer-view.js';
import type { Codecs } from './codecs.js';
import type { RunConfigs } from './run-configs.js';

export interface CommonDependencies {
  readonly log: EventLog;
  readonly configs: RunConfigs;
  /** Version of this code: goes into every event. */
  readonly codeVersion: string;
}

export interface RolloutDependencies extends CommonDependencies {
  readonly buffers: BufferViews;
  readonly engine: PolicyEngine;
  readonly codecs: Codecs;
}

export interface SandboxDependencies extends CommonDependencies {
  readonly buffers: BufferViews;
  readonly sandbox: Sandbox;
  readonly codecs: Codecs;
}

export interface LearnerDependencies extends CommonDependencies {
  readonly engine: PolicyEngine;
  /** Root folder of checkpoints. */
  readonly checkpoints: string;
}

export interface EvaluateDependencies extends CommonDependencies {
  readonly engine: PolicyEngine;
  readonly codecs: Codecs;
  readonly sandbox: Sandbox;
}
