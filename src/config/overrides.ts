/** `--set a.b=c`: one value of the run configuration; c is read as YAML. */
import { parse } from 'yaml';
import { UsageError } from './errors.js';
import { setAt, type Values } from './key-paths.js';

/** @throws UsageError naming the override and what is accepted. */
export function applyOverride(values: Values, override: string): void {
  const at = override.indexOf('=');
  const key = override.slice(0, Math.max(0, at));
  if (key.split('.').some((part) => part === ''))
    throw new UsageError(
      `--set is ${JSON.stringify(override)}; accepted is KEY=VALUE, as in learner.clipLow=0.1`,
    );
  const inTheWay = setAt(values, key, valueOf(override, override.slice(at + 1)));
  if (inTheWay !== undefined)
    throw new UsageError(`--set ${override}: ${inTheWay} holds a value, not a group of keys`);
}

function valueOf(override: string, text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (error) {
    throw new UsageError(
      `--set ${override}: the value is not YAML: ${(error as Error).message.split('\n')[0] ?? ''}`,
    );
  }
}
