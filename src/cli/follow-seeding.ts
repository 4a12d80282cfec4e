/** Follows a seeding to its end: a line whenever a round gave rows, by the workflow's progress query. */
import { WorkflowFailedError, type Client } from '@temporalio/client';
import type { SeedingResult } from '../../workflows/types.js';
import { EXIT } from './exit-codes.js';
import { deepest } from './follow.js';

const POLL_MS = 1_000;

/** The seeding ended without its rows. */
export class SeedingFailedError extends Error {
  override readonly name = 'SeedingFailedError';
  readonly exitCode = EXIT.runFailed;
}

/**
 * @param rows wanted of each file.
 * @throws SeedingFailedError where the workflow failed or was ended; the same call starts it anew.
 */
export async function followSeeding(
  client: Client,
  runId: string,
  rows: number,
  print: (line: string) => void,
): Promise<SeedingResult> {
  const handle = client.workflow.getHandle(runId);
  let said = '';
  for (;;) {
    const { name: status } = (await handle.describe()).status;
    const progress = await handle.query<SeedingResult>('seedingProgress').catch(() => undefined);
    if (progress !== undefined && progress.rounds > 0) {
      const { rounds, pairs, inductions } = progress;
      const line = `round ${rounds}: ${Math.min(pairs, rows)}/${rows} pairs, ${Math.min(inductions, rows)}/${rows} induction tasks`;
      if (line !== said) print(line);
      said = line;
    }
    if (status !== 'RUNNING') break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  try {
    return (await handle.result()) as SeedingResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw new SeedingFailedError(`seeding ${runId} failed: ${deepest(error.cause)}; no file is written`);
  }
}
