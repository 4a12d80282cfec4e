/** Differences against bounds, told one a line. */
export class Checks {
  readonly lines: { what: string; worst: number; bound: number; holds: boolean }[] = [];

  /** @param worst a difference; one that is no number does not hold. */
  differs(what: string, worst: number, bound: number): void {
    const holds = worst <= bound;
    this.lines.push({ what, worst, bound, holds });
    console.log(
      `${holds ? 'holds' : 'FAILS'}  ${what}: ${worst.toExponential(2)} (bound ${bound.toExponential(2)})`,
    );
  }

  is(what: string, holds: boolean): void {
    this.differs(`${what} (number of differences)`, holds ? 0 : 1, 0);
  }

  get failures(): number {
    return this.lines.filter(({ holds }) => !holds).length;
  }
}

/** The largest difference of two lists; no number where their lengths differ. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? Number.NaN));
    // Equal infinities differ by nothing.
    if (a[i] !== b[i] && !(difference <= most)) most = difference;
    if (Number.isNaN(most)) return most;
  }
  return most;
}
