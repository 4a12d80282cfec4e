/** Memory of the process that holds models: whether there is enough, and what script no longer needs of it. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Whether what is about to be asked of the machine's memory is there: said before work is lost. */
export class MemoryNeededError extends Error {
  override readonly name = 'MemoryNeededError';
}

/**
 * Of the machine or of the limit that this process lives under, whichever is less.
 * @throws MemoryNeededError naming what is needed and what is there.
 */
export function requireMemory(
  what: string,
  bytes: number,
  available = process.availableMemory(),
  accepted = 'a smaller model, or a machine with more',
): void {
  const gib = (n: number): string => `${(n / 2 ** 30).toFixed(2)} GiB`;
  if (bytes > available)
    throw new MemoryNeededError(
      `${what} need ${gib(bytes)} of memory; ${gib(available)} is available. Accepted is ${accepted}`,
    );
}

/** A collection takes some ten milliseconds: less is not worth it. */
const COLLECTED_BYTES = 64 * 2 ** 20;

/**
 * Gives back the arrays that loading or saving a model left behind. The collector would do so late: what follows, steps and
 * samples, makes few objects of script.
 */
export function collectArrays(): void {
  if (process.memoryUsage().arrayBuffers < COLLECTED_BYTES) return;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
