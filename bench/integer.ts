/** An option of a bench that is a whole number. */
import { UsageError } from '../src/config/errors.js';

/** @throws UsageError naming the option, what was received and what is accepted. */
export function integer(name: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high)
    throw new UsageError(`--${name} is ${text}; accepted are integers from ${low} to ${high}`);
  return value;
}
