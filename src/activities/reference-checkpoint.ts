/**
 * The policy that learner.klCoefficient holds a run to: its version 0, as the log names it. A run that was forked from
 * another has its parent's.
 */
import path from 'node:path';
import type { EventLog } from '../../pipelines/event-log.js';
import { topicOf } from '../../pipelines/topics.js';
import type { RunConfig } from '../config/run.js';
import type { CheckpointRef } from '../policy/port.js';

/** What PolicyEngine.learn is given beside the rows: a reference where the loss holds the policy to one. */
export async function referenceOf(
  { learner }: RunConfig,
  log: EventLog,
  runId: string,
  dataFolder: string,
): Promise<{ readonly reference?: CheckpointRef }> {
  return learner.klCoefficient === 0 ? {} : { reference: await referenceCheckpoint(log, runId, dataFolder) };
}

/**
 * @param dataFolder where the recorded folders begin.
 * @throws Error naming the run where the log has no version 0 of it or of those it was forked from.
 */
export async function referenceCheckpoint(
  log: EventLog,
  runId: string,
  dataFolder: string,
): Promise<CheckpointRef> {
  const lineage = new Set<string>();
  for (let run: string | null = runId; run !== null && !lineage.has(run); run = await parentOf(log, run)) {
    lineage.add(run);
    const found = await versionZero(log, run, dataFolder);
    if (found !== undefined) return found;
  }
  throw new Error(
    `the log holds no CheckpointSaved of version 0 of run ${[...lineage].join(', forked from ')}; klCoefficient needs one`,
  );
}

async function versionZero(
  log: EventLog,
  runId: string,
  dataFolder: string,
): Promise<CheckpointRef | undefined> {
  const topic = topicOf('CheckpointSaved');
  for await (const { event } of log.scan(topic, {}, undefined, (e) => e.envelope.runId === runId))
    if (event.type === 'CheckpointSaved' && event.data.version === 0)
      return { version: 0, folder: path.resolve(dataFolder, event.data.folder), digest: event.data.digest };
  return undefined;
}

async function parentOf(log: EventLog, runId: string): Promise<string | null> {
  const topic = topicOf('RunStarted');
  for await (const { event } of log.scan(topic, {}, undefined, (e) => e.envelope.runId === runId))
    if (event.type === 'RunStarted') return event.data.parentRunId;
  return null;
}
