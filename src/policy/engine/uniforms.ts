/**
 * Uniforms for sampling by counter: token t of a sample with seed s gets a mix of (s, t), the same whatever else is in the
 * batch. Mixing as in MurmurHash3's finaliser, applied twice.
 */

/** @returns one of 2^22 values in (0, 1), edges excluded: times a float32 sum it stays below that sum. */
export function uniform(seed: number, t: number): number {
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  const h = mix(mix(low ^ Math.imul(t + 1, 0x9e3779b1)) ^ high ^ Math.imul(t, 0x85ebca77));
  return ((h >>> 10) + 0.5) / 2 ** 22;
}

function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
