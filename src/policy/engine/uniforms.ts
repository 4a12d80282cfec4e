/**
 * Uniforms for sampling by counter: position t of a sample with seed s is a mix of (s, t), the same whatever else is in
 * the batch. Mixing as in MurmurHash3's finaliser, applied twice.
 */
export function fillUniforms(out: Float32Array, at: number, count: number, seed: number): void {
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  for (let t = 0; t < count; t++) {
    const h = mix(mix(low ^ Math.imul(t + 1, 0x9e3779b1)) ^ high ^ Math.imul(t, 0x85ebca77));
    // 24 bits: every value is a float below 1.
    out[at + t] = (h >>> 8) / 2 ** 24;
  }
}

function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
