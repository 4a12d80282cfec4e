/** A count of work that no clock enters: characters that string methods touch while a function runs. */

type StringMethod = (this: string, ...values: never[]) => unknown;
type Cost = (text: string, values: readonly unknown[], result: unknown) => number;

const whole: Cost = (text) => text.length;
const COSTS: Readonly<Record<string, Cost>> = {
  charCodeAt: () => 1,
  startsWith: (_text, [needle]) => String(needle).length,
  endsWith: (_text, [needle]) => String(needle).length,
  slice: (_text, _values, result) => 1 + String(result).length,
  indexOf: (text, [, from], result) => 1 + (result === -1 ? text.length : Number(result)) - Number(from ?? 0),
  lastIndexOf: (text, _values, result) => 1 + text.length - Number(result),
  trim: whole,
  trimStart: whole,
  trimEnd: whole,
  toLowerCase: whole,
  replaceAll: whole,
  replace: whole,
  includes: whole,
  split: whole,
  match: whole,
  matchAll: whole,
  search: whole,
};

/** Runs `work` and counts; string methods are the built-in ones again afterwards. */
export function countOperations(work: () => void): number {
  let operations = 0;
  const methods = String.prototype as unknown as Record<string, StringMethod>;
  const originals = new Map<string, StringMethod>();
  for (const [name, cost] of Object.entries(COSTS)) {
    const original = methods[name];
    if (original === undefined) throw new Error(`strings have no method ${name}`);
    originals.set(name, original);
    methods[name] = function (this: string, ...values: never[]): unknown {
      const result = original.apply(this, values);
      operations += cost(this, values, result);
      return result;
    };
  }
  try {
    work();
  } finally {
    for (const [name, original] of originals) methods[name] = original;
  }
  return operations;
}
