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
