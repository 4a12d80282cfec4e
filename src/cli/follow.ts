/** Follows a run to its end: a line for every iteration, by the workflow's progress query. */
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { backendText } from '../policy/port.js';
import type { RunProgress } from '../../workflows/types.js';

export interface FollowEnd {
  readonly run: string;
  readonly status: string;
  readonly iteration: number;
  readonly error?: string;
}

const POLL_MS = 1_000;

export async function follow(
  client: Client,
  runId: string,
  print: (line: string) => void,
): Promise<FollowEnd> {
  let lastLine = '';
  let iteration = -1;
  let scored = -1;
  let saidBackend = false;
  const began = Date.now();
  const at = (): string => `${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s`;
  for (;;) {
    const handle = client.workflow.getHandle(runId);
    const status = (await handle.describe()).status.name;
    const progress = await handle.query<RunProgress>('progress').catch(() => undefined);
    if (progress !== undefined) {
      if (progress.backend !== null && !saidBackend) {
        const { backend, threads } = progress.backend;
        print(`${at()}  policy on ${backend}, ${threads} threads: ${backendText(progress.backend)}`);
        saidBackend = true;
      }
      if (progress.iteration !== iteration && progress.lastIteration !== null) {
        iteration = progress.iteration;
        print(`${at()}  iteration ${iteration}/${progress.iterations}: ${iterationText(progress)}`);
      }
      const evaluated = progress.scores[0]?.iteration ?? scored;
      if (evaluated !== scored) {
        scored = evaluated;
        print(`${at()}  held-out: ${scoreText(progress.scores)}`);
      }
      const line = progress.status === 'running' ? '' : `${progress.status}: ${progress.step}`;
      if (line !== lastLine && line !== '') print(`${at()}  ${line}`);
      lastLine = line;
    }
    if (status !== 'RUNNING') {
      const end = {
        run: runId,
        status: status.toLowerCase(),
        iteration: progress?.iteration ?? Math.max(0, iteration),
      };
      if (status === 'COMPLETED') return end;
      try {
        await handle.result();
      } catch (error) {
        const cause = error instanceof WorkflowFailedError ? error.cause : error;
        const text = deepest(cause);
        print(`${at()}  run ${runId} ${status.toLowerCase()}: ${text}`);
        return { ...end, error: text };
      }
      return end;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What the innermost cause says. */
export function deepest(error: unknown): string {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function iterationText(progress: RunProgress): string {
  const last = progress.lastIteration;
  if (last === null) return '';
  const rates = Object.entries(last.solveRates)
    .map(([kind, rate]) => `${kind} ${percent(rate)}`)
    .join(', ');
  const seconds = Object.values(last.durations).reduce((sum, ms) => sum + ms, 0) / 1000;
  return `${last.accepted} of ${last.proposals} proposals accepted, ${last.solutions} answers (${rates}), ${last.rows} rows learned, ${seconds.toFixed(1)} s`;
}

function scoreText(scores: RunProgress['scores']): string {
  const kinds = [...new Set(scores.map((score) => score.kind))];
  return kinds
    .map((kind) => {
      const mine = scores.filter((score) => score.kind === kind);
      const correct = mine.reduce((sum, score) => sum + score.correct, 0);
      const count = mine.reduce((sum, score) => sum + score.count, 0);
      return `${kind} ${percent(correct / Math.max(1, count))}`;
    })
    .join(', ');
}
