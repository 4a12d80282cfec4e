/** What a run may be called: the name stands in ids, folders and workflow ids. */
import { UsageError } from './errors.js';

/** @throws UsageError for a name that is not accepted. */
export function checkRunId(runId: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(runId))
    throw new UsageError(
      `--run is ${JSON.stringify(runId)}; accepted are letters, digits, dots, dashes and underscores, 100 at most`,
    );
}
