/** Failures of the local stack that a person can mend. The exit codes are those of src/cli/exit-codes.ts. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly exitCode: number;

  /** @param message one or two sentences: what is wrong, and what to do. */
  constructor(message: string, kind: 'missing' | 'service' | 'usage' = 'service') {
    super(message);
    this.exitCode = { usage: 2, missing: 3, service: 4 }[kind];
  }
}
