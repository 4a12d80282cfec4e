/** A run and one of its iterations, as commands take them. */
import { UsageError } from '../config/errors.js';

/** @throws UsageError for another text. */
export function parseRunPoint(text: string): { run: string; iteration: number | undefined } {
  const match = /^([^@]+)(?:@(\d+))?$/.exec(text);
  if (match === null)
    throw new UsageError(
      `run@iteration is ${JSON.stringify(text)}; accepted is RUN@ITERATION, as in tiny@3, or RUN alone`,
    );
  return { run: match[1] ?? '', iteration: match[2] === undefined ? undefined : Number(match[2]) };
}
