/** All runs that Temporal or the log know, newest first. */
import type { Client } from '@temporalio/client';
import { runSql } from '../../pipelines/sql.js';
import type { RunProgress } from '../../workflows/types.js';
import type { Session } from './session.js';

export interface KnownRun {
  readonly run: string;
  readonly preset: string;
  readonly status: string;
  readonly iteration: number;
  readonly started: string;
  readonly configHash: string;
}

export async function knownRuns(session: Session, client: Client): Promise<KnownRun[]> {
  const answer = await runSql(
    session.addresses,
    `select run_id as run, preset, status, toUInt32(iteration) as iteration, toString(started_at) as started, config_hash as configHash
     from runs order by started_at desc, run_id`,
    'json',
  );
  const rows = JSON.parse(answer.toString('utf8')) as KnownRun[];
  const byId = new Map(rows.map((row) => [row.run, row]));
  for await (const info of client.workflow.list({ query: `WorkflowType = 'selfPlayRun'` })) {
    const row = byId.get(info.workflowId);
    if (info.status.name !== 'RUNNING') {
      // The log may end before a run that was terminated could say so.
      if (row?.status === 'running') byId.set(row.run, { ...row, status: info.status.name.toLowerCase() });
      continue;
    }
    const live = await client.workflow
      .getHandle(info.workflowId)
      .query<RunProgress>('progress')
      .catch(() => undefined);
    // What azr run noted at the start; the log may not have the run yet.
    const memo = (info.memo ?? {}) as { preset?: string; configHash?: string };
    byId.set(info.workflowId, {
      run: info.workflowId,
      preset: row?.preset ?? memo.preset ?? '',
      status: live?.status ?? row?.status ?? 'running',
      iteration: live?.iteration ?? row?.iteration ?? 0,
      started: row?.started ?? info.startTime.toISOString().replace('T', ' ').slice(0, 23),
      configHash: row?.configHash ?? memo.configHash ?? '',
    });
  }
  return [...byId.values()].sort((a, b) => (a.started < b.started ? 1 : a.started > b.started ? -1 : 0));
}
