/** Limits of an execution: defaults, the ranges accepted, and their check. */
import type { Limits } from './port.js';

export const DEFAULT_LIMITS: Limits = { cpuMs: 2000, memoryMiB: 512, resultBytes: 256 * 1024 };

/** Static refusals before any run. */
export const MAX_CODE_BYTES = 64 * 1024;
export const MAX_INPUT_BYTES = 16 * 1024;
export const MAX_INPUTS = 10_000;

const RANGES: Readonly<Record<keyof Limits, readonly [number, number]>> = {
  cpuMs: [1, 600_000],
  memoryMiB: [64, 65_536],
  resultBytes: [16, 1 << 20],
};

/** Fills in defaults. Throws RangeError naming the limit, the value and the range. */
export function resolveLimits(
  limits: Partial<Limits> | undefined,
  defaults: Limits = DEFAULT_LIMITS,
): Limits {
  const resolved = { ...defaults, ...limits };
  for (const name of Object.keys(RANGES) as (keyof Limits)[]) {
    const value: unknown = resolved[name];
    const [low, high] = RANGES[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high)
      throw new RangeError(
        `limits.${name} is ${String(value)}; accepted are integers from ${low} to ${high}`,
      );
  }
  return resolved;
}
