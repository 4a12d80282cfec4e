/** A run that does not exist, with the nearest one that does. */
import { nearest, UsageError } from '../config/errors.js';
import { knownRuns } from './runs.js';
import { withTemporal, type Session } from './session.js';

export async function unknownRun(session: Session, runId: string): Promise<UsageError> {
  const known = await withTemporal(session.addresses, (client) => knownRuns(session, client));
  const near = nearest(
    runId,
    known.map((run) => run.run),
  );
  return new UsageError(
    `run ${JSON.stringify(runId)} is not in the log${near === undefined ? '' : `; did you mean ${near}?`} (npx azr runs lists all)`,
  );
}
