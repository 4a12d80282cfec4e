import { describe, expect, it } from 'vitest';
import { subjectOf } from '../../../pipelines/subject.js';
import {
  DEAD_LETTERS_TOPIC,
  eventTopics,
  partitionsOf,
  SCHEMAS_TOPIC,
  topicOf,
} from '../../../pipelines/topics.js';
import type { EventType } from '../../../schemas/generated/events.js';
import { event, EVENT_TYPES, sampleEvents } from '../../support/events.js';

describe('topics', () => {
  it('every event has one of the event topics, and every event topic has events', () => {
    const used = new Set(EVENT_TYPES.map(topicOf));
    expect([...used].sort()).toEqual(eventTopics().sort());
    for (const topic of used) expect(topic).toMatch(/^azr\.[a-z-]+$/);
  });

  it('schemas and dead letters are none of them', () => {
    expect(eventTopics()).not.toContain(SCHEMAS_TOPIC);
    expect(eventTopics()).not.toContain(DEAD_LETTERS_TOPIC);
  });

  it('partitions of a topic that is not named start nowhere', () => {
    expect(partitionsOf({}, 'azr.runs')).toEqual({});
    expect(partitionsOf({ 'azr.runs': { 0: '7' } }, 'azr.runs')).toEqual({ 0: '7' });
  });
});

describe('subjects', () => {
  /** The field that holds the subject; the envelope's run for facts of a run. */
  const SUBJECT: Readonly<Record<EventType, string>> = {
    RunStarted: 'runId',
    RunPaused: 'runId',
    RunResumed: 'runId',
    RunForked: 'runId',
    RunCompleted: 'runId',
    RunFailed: 'runId',
    IterationStarted: 'runId',
    IterationCompleted: 'runId',
    CheckpointSaved: 'runId',
    ProposalSampled: 'proposalId',
    LearnabilityEstimated: 'proposalId',
    ProgramExecuted: 'subjectId',
    TaskAccepted: 'taskId',
    TaskRejected: 'subjectId',
    IntrinsicsMeasured: 'taskId',
    SeedRowRead: 'fileDigest',
    SolutionSampled: 'taskId',
    SolutionVerified: 'taskId',
    RewardAssigned: 'subjectId',
    LearnerBatchPrepared: 'batchId',
    LearnerSample: 'subjectId',
    LearnerStepped: 'batchId',
    EvaluationCompleted: 'evaluationId',
    ExampleEvaluated: 'evaluationId',
  };

  it.each(EVENT_TYPES)('%s is keyed by what it is about', (type) => {
    for (const given of sampleEvents(type, 5)) {
      const fields = { ...given.envelope, ...given.data } as unknown as Record<string, unknown>;
      expect(subjectOf(given)).toBe(fields[SUBJECT[type]]);
    }
  });

  it("a task's facts have one key in each topic, so that they keep their order", () => {
    const place = { runId: 'r', iteration: 1 };
    const first = event('SolutionVerified', place, ['g1'], {
      groupId: 'g1',
      taskId: 't',
      kind: 'deduction',
      purpose: 'solve',
      attempts: [],
    });
    const second = event('SolutionVerified', place, ['g2'], {
      groupId: 'g2',
      taskId: 't',
      kind: 'deduction',
      purpose: 'learnability',
      attempts: [],
    });
    expect(subjectOf(first)).toBe(subjectOf(second));
  });
});
