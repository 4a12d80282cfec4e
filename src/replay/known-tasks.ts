/** The tasks that a run has accepted so far: what verdicts are judged by, and measures counted over. */
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { bufferFactOf } from '../buffer/buffer-facts.js';
import type { BufferedTask } from '../buffer/task-buffer.js';
import type { RecordedFacts, RecordedIterationBounds } from './recorded-iteration.js';

export class KnownTasks {
  readonly #tasks = new Map<string, BufferedTask>();

  /** Those that stand before an iteration's start: seeds, a fork's inheritance, earlier iterations. */
  async readBefore(log: EventLog, runId: string, bounds: RecordedIterationBounds | undefined): Promise<void> {
    const ofRun = (event: AzrEvent): boolean => event.envelope.runId === runId;
    for await (const { event } of log.scan(topicOf('TaskAccepted'), {}, bounds?.from ?? {}, ofRun))
      this.#add(event);
  }

  add(facts: RecordedFacts): void {
    for (const event of facts.get('TaskAccepted') ?? []) this.#add(event);
  }

  #add(event: AzrEvent): void {
    const fact = bufferFactOf(event);
    if (fact?.type === 'accepted' && !this.#tasks.has(fact.task.taskId))
      this.#tasks.set(fact.task.taskId, fact.task);
  }

  get(taskId: string): BufferedTask | undefined {
    return this.#tasks.get(taskId);
  }

  /** @throws Error naming a task that is not known. */
  of(taskId: string): BufferedTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`the log lacks TaskAccepted of ${taskId}`);
    return task;
  }

  all(): Iterable<BufferedTask> {
    return this.#tasks.values();
  }
}
