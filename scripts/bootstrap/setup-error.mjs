// A lack that a person can mend: the message says what is missing, the remedy is the one command that mends it.
import { EXIT } from './exit-codes.mjs';

export class SetupError extends Error {
  /**
   * @param {string} what what is missing, in a sentence without the full stop
   * @param {string} remedy the one command (or step) that mends it
   * @param {{cause?: unknown}} [options]
   */
  constructor(what, remedy, options = {}) {
    super(`${what}. Do this: ${remedy}`, options);
    this.exitCode = EXIT.missing;
    this.remedy = remedy;
  }
}

/** The last line that a failed program or request has said; one line, for use inside a sentence. */
export function reasonOf(error) {
  const said = String(error?.stderr || error?.cause?.message || error?.message || error).trim();
  return said.split('\n').at(-1) ?? '';
}
