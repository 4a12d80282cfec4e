/** What the engine's process and its owner say to each other over the IPC channel (structured clone). */
import type {
  BackendInfo,
  CheckpointRef,
  FreshAdapters,
  LearnConfig,
  LearnRow,
  ModelSpec,
  SampleRequest,
  TokenTexts,
} from './port.js';

export type EngineCall =
  | { readonly kind: 'initialise'; readonly spec: ModelSpec; readonly seed: number; readonly folder: string }
  | {
      readonly kind: 'import';
      readonly source: string;
      readonly folder: string;
      readonly adapters?: FreshAdapters;
    }
  | {
      readonly kind: 'sample';
      readonly checkpoint: CheckpointRef;
      readonly requests: readonly SampleRequest[];
      readonly tokenTexts?: TokenTexts;
      /** Whether tokens are wanted as they come. */
      readonly streams: boolean;
    }
  | {
      readonly kind: 'learn';
      readonly parent: CheckpointRef;
      readonly rows: readonly LearnRow[];
      readonly config: LearnConfig;
      readonly folder: string;
      readonly reference?: CheckpointRef;
    }
  | {
      readonly kind: 'imitate';
      readonly parent: CheckpointRef;
      readonly config: LearnConfig;
      readonly folder: string;
    };

/** To the engine. */
export type EngineRequest =
  | { readonly type: 'call'; readonly id: number; readonly call: EngineCall }
  | { readonly type: 'cancel'; readonly id: number }
  /** The next batch of an `imitate`; null ends them. */
  | { readonly type: 'batch'; readonly id: number; readonly rows: readonly LearnRow[] | null };

/** From the engine. */
export type EngineReply =
  | { readonly type: 'ready'; readonly backend: BackendInfo }
  | { readonly type: 'failed-to-start'; readonly message: string }
  | { readonly type: 'progress'; readonly id: number; readonly values: readonly number[] }
  /** A sample's next tokens. */
  | {
      readonly type: 'tokens';
      readonly id: number;
      readonly sample: string;
      readonly tokens: readonly number[];
    }
  /** An `imitate` asks for its next batch. */
  | { readonly type: 'want-batch'; readonly id: number }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly name: string; readonly message: string };
