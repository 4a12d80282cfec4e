/**
 * The similarity of two texts after Ratcliff and Obershelp ("Pattern Matching: The Gestalt Approach", Dr. Dobb's Journal
 * 46, 1988), 2 M / T with M the characters of matching blocks and T those of both texts, with the rules of Python's
 * difflib.SequenceMatcher without junk:
 *
 *   - the longest block first (the earliest of equals, in a before b), then the same left and right of it
 *   - autojunk: where b has 200 characters or more, a character on more than 1 % + 1 of its places anchors no block;
 *     blocks are grown over such characters afterwards, an empty block at the head of both spans too
 */
const AUTOJUNK_FROM = 200;
/** Places looked at between two steps: some milliseconds. */
const PLACES_PER_STEP = 1 << 20;

/** @param a, b texts compared by UTF-16 unit. @returns similarity in [0, 1]; 1 for two empty texts. */
export function similarity(a: string, b: string): number {
  return drained(similaritySteps(a, b));
}

/**
 * The same in steps of some milliseconds, for a caller that has other things to do: the time grows with the square of the
 * texts, and two programs of 18 kB take a quarter of a minute.
 */
export function* similaritySteps(a: string, b: string): Generator<undefined, number> {
  const total = a.length + b.length;
  return total === 0 ? 1 : (2 * (yield* matchingCharacters(a, b))) / total;
}

/** What a computation in steps gives, all steps at once. */
export function drained<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function* matchingCharacters(a: string, b: string): Generator<undefined, number> {
  const left = units(a);
  const right = units(b);
  const placesOf = anchors(right);
  // Lengths of the blocks that end at (i - 1, j) and (i, j), at j + 1; only touched places are cleared.
  let previous = new Int32Array(right.length + 1);
  let current = new Int32Array(right.length + 1);
  const spans: [number, number, number, number][] = [[0, left.length, 0, right.length]];
  let matching = 0;
  let looked = 0;
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [aLow, aHigh, bLow, bHigh] = span;
    let bestA = aLow;
    let bestB = bLow;
    let size = 0;
    let touched: readonly [Int32Array, number, number] = [EMPTY, 0, 0];
    for (let i = aLow; i < aHigh; i++) {
      const places = placesOf[left[i] as number] ?? EMPTY;
      const from = firstAtLeast(places, bLow);
      let to = from;
      for (; to < places.length; to++) {
        const j = places[to] as number;
        if (j >= bHigh) break;
        const length = (previous[j] as number) + 1;
        current[j + 1] = length;
        if (length > size) {
          bestA = i - length + 1;
          bestB = j - length + 1;
          size = length;
        }
      }
      clear(previous, touched);
      [previous, current] = [current, previous];
      touched = [places, from, to];
      looked += 1 + to - from;
      if (looked < PLACES_PER_STEP) continue;
      looked = 0;
      yield;
    }
    clear(previous, touched);
    while (bestA > aLow && bestB > bLow && left[bestA - 1] === right[bestB - 1]) {
      bestA--;
      bestB--;
      size++;
    }
    while (bestA + size < aHigh && bestB + size < bHigh && left[bestA + size] === right[bestB + size]) size++;
    if (size === 0) continue;
    matching += size;
    if (aLow < bestA && bLow < bestB) spans.push([aLow, bestA, bLow, bestB]);
    if (bestA + size < aHigh && bestB + size < bHigh) spans.push([bestA + size, aHigh, bestB + size, bHigh]);
  }
  return matching;
}

const EMPTY = new Int32Array(0);

function units(text: string): Uint16Array {
  const out = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** By unit, its places in b in rising order; none for those that autojunk leaves out. */
function anchors(b: Uint16Array): (Int32Array | undefined)[] {
  const counts = new Map<number, number>();
  for (const unit of b) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  const most = b.length >= AUTOJUNK_FROM ? Math.floor(b.length / 100) + 1 : Infinity;
  const placesOf: (Int32Array | undefined)[] = [];
  const filled = new Map<number, number>();
  for (const [unit, count] of counts) if (count <= most) placesOf[unit] = new Int32Array(count);
  b.forEach((unit, j) => {
    const places = placesOf[unit];
    if (places === undefined) return;
    const at = filled.get(unit) ?? 0;
    places[at] = j;
    filled.set(unit, at + 1);
  });
  return placesOf;
}

/** Index of the first place that is not below `low`. */
function firstAtLeast(places: Int32Array, low: number): number {
  let from = 0;
  let to = places.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((places[middle] as number) < low) from = middle + 1;
    else to = middle;
  }
  return from;
}

function clear(lengths: Int32Array, [places, from, to]: readonly [Int32Array, number, number]): void {
  for (let k = from; k < to; k++) lengths[(places[k] as number) + 1] = 0;
}
