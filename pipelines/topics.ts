/** Which topic carries which fact, and how topics are made. */
import { Kafka, logLevel, type Admin } from 'kafkajs';
import type { EventType } from '../schemas/generated/events.js';
import type { Offsets } from './event-log.js';

const PREFIX = 'azr.';

const TOPIC_BY_TYPE: Readonly<Record<EventType, string>> = {
  RunStarted: 'runs',
  RunPaused: 'runs',
  RunResumed: 'runs',
  RunForked: 'runs',
  RunCompleted: 'runs',
  RunFailed: 'runs',
  IterationStarted: 'runs',
  IterationCompleted: 'runs',
  ProposalSampled: 'proposals',
  ProgramExecuted: 'executions',
  TaskAccepted: 'tasks',
  TaskRejected: 'tasks',
  IntrinsicsMeasured: 'tasks',
  SeedRowRead: 'tasks',
  SolutionSampled: 'solutions',
  SolutionVerified: 'verdicts',
  LearnabilityEstimated: 'rewards',
  RewardAssigned: 'rewards',
  LearnerBatchPrepared: 'learner-batches',
  LearnerSample: 'learner-batches',
  LearnerStepped: 'checkpoints',
  CheckpointSaved: 'checkpoints',
  EvaluationCompleted: 'evaluations',
  ExampleEvaluated: 'evaluations',
};

export const SCHEMAS_TOPIC = `${PREFIX}schemas`;
export const DEAD_LETTERS_TOPIC = `${PREFIX}dead-letters`;

export function topicOf(type: EventType): string {
  return PREFIX + TOPIC_BY_TYPE[type];
}

/** Topics that carry events. */
export function eventTopics(): string[] {
  return [...new Set(Object.values(TOPIC_BY_TYPE))].map((name) => PREFIX + name);
}

/** `offsets` of a topic as partition -> next offset. */
export function partitionsOf(offsets: Offsets, topic: string): Readonly<Record<number, string>> {
  return offsets[topic] ?? {};
}

export function kafkaClient(brokers: readonly string[], clientId: string): Kafka {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  return new Kafka({
    clientId,
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 5_000,
    requestTimeout: 60_000,
    // Longer than a broker's restart: the defaults run out in the middle of one.
    retry: { retries: 60, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
}

/** Events are kept for ever; the schemas topic keeps the newest message a key. */
export async function ensureTopics(brokers: readonly string[], partitions = 1): Promise<void> {
  const admin = kafkaClient(brokers, 'azr-topics').admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const keep = [
      { name: 'retention.ms', value: '-1' },
      { name: 'retention.bytes', value: '-1' },
    ];
    const wanted = [
      ...[...eventTopics(), DEAD_LETTERS_TOPIC].map((topic) => ({
        topic,
        numPartitions: topic === DEAD_LETTERS_TOPIC ? 1 : partitions,
        configEntries: keep,
      })),
      {
        topic: SCHEMAS_TOPIC,
        numPartitions: 1,
        configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
      },
    ].filter(({ topic }) => !existing.has(topic));
    if (wanted.length > 0) {
      await admin.createTopics({ topics: wanted, waitForLeaders: false }).catch((error: unknown) => {
        // Two processes may ensure at once.
        if (!String((error as Error).message).includes('already exists')) throw error;
      });
      await untilLed(
        admin,
        wanted.map(({ topic }) => topic),
      );
    }
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs's own waiting races with the broker's metadata and does not retry; this does. */
async function untilLed(admin: Admin, topics: readonly string[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
      if (
        found.every(
          ({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0),
        )
      )
        return;
    } catch (error) {
      if (attempt >= 100) throw error;
    }
    if (attempt >= 100) throw new Error(`topics ${topics.join(', ')} have no leader after 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
