/**
 * Recorded histories replay against today's workflow code: a change that would break runs in flight fails here. Record
 * anew, beside the old ones, with record-histories.mjs when a change is meant.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';

const folder = path.join(import.meta.dirname, 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.base64'));

const { History } = proto.temporal.api.history.v1;
const readHistory = (file: string): proto.temporal.api.history.v1.History =>
  History.decode(Buffer.from(readFileSync(path.join(folder, file), 'utf8'), 'base64'));

describe('recorded histories', () => {
  let code: string;
  beforeAll(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const workflowsPath = path.resolve(import.meta.dirname, '../../dist/workflows/index.js');
    ({ code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }));
  }, 120_000);

  it('are there', () => {
    expect(files).toEqual(expect.arrayContaining(['iteration.v1.base64', 'self-play-run.v1.base64']));
  });

  it.each(files)(
    '%s replays',
    async (file) => {
      const history = readHistory(file);
      await Worker.runReplayHistory({ workflowBundle: { code } }, history);
    },
    120_000,
  );

  it('notice a history of another order', async () => {
    const history = readHistory('iteration.v1.base64');
    for (const { activityTaskScheduledEventAttributes: scheduled } of history.events)
      if (scheduled?.activityType?.name === 'validate') scheduled.activityType.name = 'verify';
    await expect(Worker.runReplayHistory({ workflowBundle: { code } }, history)).rejects.toThrow(/verify|validate|[Nn]ondeterminism/);
  }, 120_000);
});
