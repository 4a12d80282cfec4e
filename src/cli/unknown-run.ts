/** A run that does not exist, with the nearest one that does. */
import { nearest, UsageError } from '../config/errors.js';
import { knownRuns, type KnownRun } from './runs.js';
import { withTemporal, type Session } from './session.js';

/** @param missing what the run is not: in the log, or known to anyone. */
export function unknownAmong(
  runId: string,
  runs: readonly Pick<KnownRun, 'run'>[],
  missing: 'in the log' | 'known',
): UsageError {
  const near = nearest(
    runId,
    runs.map(({ run }) => run),
  );
  return new UsageError(
    `run ${JSON.stringify(runId)} is not ${missing}${near === undefined ? '' : `; did you mean ${near}?`} (npx azr runs lists all)`,
  );
}

export async function unknownRun(session: Session, runId: string): Promise<UsageError> {
  const runs = await withTemporal(session.addresses, (client) => knownRuns(session, client));
  return unknownAmong(runId, runs, 'in the log');
}
