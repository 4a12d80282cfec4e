/** A bench as a program: its exit code, and one line for what a person can mend. */
import { EXIT } from '../src/cli/exit-codes.js';
import { UsageError } from '../src/config/errors.js';

export async function runBench(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const stated = error instanceof UsageError ? EXIT.usage : (error as { exitCode?: unknown }).exitCode;
    const expected = typeof stated === 'number';
    console.error(expected ? `error: ${(error as Error).message}` : error);
    process.exitCode = expected ? stated : EXIT.unexpected;
  }
}
