/** What an exit code tells; the same numbers as the bootstrap's (scripts/bootstrap/exit-codes.mjs). */
export const EXIT = {
  ok: 0,
  /** A bug: please report it. */
  unexpected: 1,
  /** A wrong argument, configuration or input file. */
  usage: 2,
  /** Something that must be installed is missing. */
  missing: 3,
  /** A service does not answer or did not start. */
  service: 4,
  /** The run itself failed. */
  runFailed: 5,
  /** A comparison found differences. */
  differences: 6,
} as const;
