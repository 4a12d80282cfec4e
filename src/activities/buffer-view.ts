/**
 * Each run's task buffer as of given offsets, folded from the log and kept between steps. A step that asks for an
 * earlier point than the kept one gets a fresh fold from the run's start: the answer depends on the offsets alone.
 */
import type { EventLog, Offsets } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import { acceptTask, emptyBuffer, recordAttempts, type TaskBuffer } from '../buffer/task-buffer.js';
import type { TaskKind } from '../tasks/types.js';
import type { RunRef } from '../../workflows/types.js';

const TASKS = topicOf('TaskAccepted');
const VERDICTS = topicOf('SolutionVerified');

interface View {
  buffer: TaskBuffer;
  position: Offsets;
  groups: Set<string>;
}

export class BufferViews {
  readonly #log: EventLog;
  readonly #views = new Map<string, View>();
  readonly #maxTasks: (run: RunRef) => Promise<number>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, maxTasks: (run: RunRef) => Promise<number>) {
    this.#log = log;
    this.#maxTasks = maxTasks;
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
      view = { buffer: emptyBuffer(), position: run.startOffsets, groups: new Set() };
      this.#views.set(run.runId, view);
    }
    const policy = { maxTasks: await this.#maxTasks(run) };
    const ofRun = (event: { envelope: { runId: string } }): boolean => event.envelope.runId === run.runId;
    for await (const { event } of this.#log.scan(TASKS, view.position, upTo, ofRun)) {
      if (event.type !== 'TaskAccepted') continue;
      const { taskId, kind, code, inputs, outputs, message } = event.data;
      const iteration = event.envelope.iteration;
      acceptTask(
        view.buffer,
        { taskId, kind: kind as TaskKind, code, inputs, outputs, message, iteration },
        policy,
      );
    }
    for await (const { event } of this.#log.scan(VERDICTS, view.position, upTo, ofRun)) {
      if (event.type !== 'SolutionVerified' || view.groups.has(event.data.groupId)) continue;
      view.groups.add(event.data.groupId);
      const { taskId, attempts } = event.data;
      recordAttempts(
        view.buffer,
        taskId,
        attempts.length,
        attempts.filter((attempt) => attempt.correct).length,
      );
    }
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
