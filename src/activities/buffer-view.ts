/**
 * Each run's task buffer as of given offsets, folded from the log and kept between steps. A step that asks for an
 * earlier point than the kept one gets a fresh fold from the run's start: the answer depends on the offsets alone.
 */
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import { bufferFactOf, foldFacts, type BufferFact } from '../buffer/buffer-facts.js';
import { emptyBuffer, type BufferPolicy, type TaskBuffer } from '../buffer/task-buffer.js';
import type { RunConfig } from '../config/run.js';
import type { RunRef } from '../../workflows/types.js';

const TASKS = topicOf('TaskAccepted');
const VERDICTS = topicOf('SolutionVerified');

interface View {
  buffer: TaskBuffer;
  position: Offsets;
}

/** What a run's configuration says of its buffer. */
export function bufferPolicy({ buffer, reward }: RunConfig): BufferPolicy {
  const { maxTasks, keep } = buffer;
  return { maxTasks, keep, validProgramFilter: reward.validProgramFilter, induction: reward.induction };
}

export class BufferViews {
  readonly #log: EventLog;
  readonly #views = new Map<string, View>();
  readonly #policyOf: (run: RunRef) => Promise<BufferPolicy>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, policyOf: (run: RunRef) => Promise<BufferPolicy>) {
    this.#log = log;
    this.#policyOf = policyOf;
  }

  /** @param upTo where the topics of tasks and verdicts stood at the wanted point. Callers must not change the buffer. */
  at(run: RunRef, upTo: Offsets): Promise<TaskBuffer> {
    const next = this.#turn.then(() => this.#advance(run, upTo));
    this.#turn = next.catch(() => undefined);
    return next;
  }

  async #advance(run: RunRef, upTo: Offsets): Promise<TaskBuffer> {
    let view = this.#views.get(run.runId);
    if (view === undefined || isBefore(upTo, view.position)) {
      view = { buffer: emptyBuffer(), position: run.startOffsets };
      this.#views.set(run.runId, view);
    }
    const facts: BufferFact[] = [];
    const ofRun = (event: { envelope: { runId: string } }): boolean => event.envelope.runId === run.runId;
    for (const topic of [TASKS, VERDICTS])
      for await (const { event } of this.#log.scan(topic, view.position, upTo, ofRun)) {
        const fact = bufferFactOf(event);
        if (fact !== undefined) facts.push(fact);
      }
    foldFacts(view.buffer, facts, await this.#policyOf(run));
    view.position = {
      [TASKS]: upTo[TASKS] ?? view.position[TASKS] ?? {},
      [VERDICTS]: upTo[VERDICTS] ?? view.position[VERDICTS] ?? {},
    };
    return view.buffer;
  }

  forget(runId: string): void {
    this.#views.delete(runId);
  }
}

/** True when some partition of `a` stands before `b`. */
function isBefore(a: Offsets, b: Offsets): boolean {
  return [TASKS, VERDICTS].some((topic) =>
    Object.entries(a[topic] ?? {}).some(
      ([partition, offset]) => BigInt(offset) < BigInt(b[topic]?.[Number(partition)] ?? '0'),
    ),
  );
}
