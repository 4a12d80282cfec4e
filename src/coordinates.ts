/**
 * Ids and seeds from coordinates: SHA-256 over an unambiguous encoding of (run, iteration, role, kind, index, sample, ...).
 * The same work done twice has the same id, so a duplicate is recognised everywhere.
 */
import { createHash } from 'node:crypto';

export type Coordinate = string | number;

/** Each part with its type and length before it, so that no two lists of parts have the same bytes. */
function digest(coordinates: readonly Coordinate[]): Buffer {
  const hash = createHash('sha256');
  for (const part of coordinates) {
    const text = String(part);
    hash.update(`${typeof part === 'number' ? 'n' : 's'}${Buffer.byteLength(text)}:${text};`);
  }
  return hash.digest();
}

/** 32 hexadecimal characters (128 bits). */
export function idOf(...coordinates: readonly Coordinate[]): string {
  return digest(coordinates).toString('hex', 0, 16);
}

/** 0 to 2^48 - 1: a safe integer, and a `long` on the wire. */
export function seedOf(...coordinates: readonly Coordinate[]): number {
  return digest(coordinates).readUIntBE(0, 6);
}
