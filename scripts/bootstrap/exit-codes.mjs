// What an exit code tells: the one list for the scripts; src/cli/exit-codes.ts says the same for `azr`.
export const EXIT = Object.freeze({
  /** All went well. */
  ok: 0,
  /** A bug: something nobody foresaw. For `npm test`: a test or gate failed. */
  unexpected: 1,
  /** Bad usage or bad input; the message names the parameter and what is accepted. */
  usage: 2,
  /** The set-up lacks something; the message names the one command that mends it. */
  missing: 3,
  /** A service did not start or does not answer. */
  service: 4,
  /** The run ended without completing. */
  runFailed: 5,
  /** A replay found differences. */
  differences: 6,
  /** Ended by Ctrl-C. */
  interrupted: 130,
});
