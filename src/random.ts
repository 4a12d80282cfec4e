/**
 * A small counter-free generator for draws whose seed comes from coordinates: the same seed gives the same draws on
 * every machine. SplitMix32 steps (Steele, Lea, Flood 2014); not for secrets.
 */
export class Random {
  #state: number;

  /** @param seed a safe integer; its high and low halves are both mixed in. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed is ${seed}; accepted are safe integers`);
    this.#state = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) | 0, 0x9e3779b1);
    this.uint32();
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform in 0 .. n-1. */
  below(n: number): number {
    if (!(n >= 1)) throw new RangeError(`n is ${n}; accepted are integers from 1`);
    return Math.floor(this.uniform() * n);
  }

  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
    }
    return copy;
  }

  /** `count` distinct items; all of them, in random order, when there are fewer. */
  sample<T>(items: readonly T[], count: number): T[] {
    if (count >= items.length) return this.shuffle(items);
    const picked = new Set<number>();
    const result: T[] = [];
    while (result.length < count) {
      const i = this.below(items.length);
      if (picked.has(i)) continue;
      picked.add(i);
      result.push(items[i] as T);
    }
    return result;
  }

  /** An index drawn with probability proportional to its weight (all >= 0, at least one > 0). */
  weighted(cumulative: readonly number[]): number {
    const total = cumulative.at(-1);
    if (total === undefined || !(total > 0))
      throw new RangeError('weights sum to 0; at least one must be above 0');
    const u = this.uniform() * total;
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] ?? 0) > u) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Running totals of weights: what Random.weighted draws by. */
export function cumulative(weights: readonly number[]): number[] {
  let total = 0;
  return weights.map((weight) => (total += weight));
}
