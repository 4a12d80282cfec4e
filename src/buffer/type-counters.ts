/**
 * How often each value occurred among the inputs and outputs of accepted tasks, by type (the published type counters):
 * type name -> value text -> count. Every task counts that ever entered, each pair of an induction task too; what leaves
 * the buffer stays counted. Outputs of `error` tasks are names of exception classes and are counted apart.
 *
 * Deviation: seed rows count once; the published code counts them as seeds and again as rows of the buffers.
 */
import { countText, ERROR_TYPE, typeOfText } from '../reward/intrinsic/answer-diversity.js';

type Counter = Map<string, Map<string, number>>;

export interface TypeCounters {
  readonly inputs: Counter;
  readonly outputs: Counter;
  readonly errors: Counter;
}

export interface CountedTask {
  readonly kind: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export function emptyTypeCounters(): TypeCounters {
  return { inputs: new Map(), outputs: new Map(), errors: new Map() };
}

/** In place. */
export function countTask(counters: TypeCounters, task: CountedTask): void {
  for (const text of task.inputs) countText(counters.inputs, typeOfText(text), text);
  for (const text of task.outputs)
    if (task.kind === 'error') countText(counters.errors, ERROR_TYPE, text);
    else countText(counters.outputs, typeOfText(text), text);
}
