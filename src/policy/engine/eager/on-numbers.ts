/**
 * Arithmetic of sizes and bounds without a device: the operations that shapes, offsets and a loop's counter go through,
 * where every input is a few integers or truth values that this process knows (value.ts).
 */
import type { Attribute } from '../graph.js';
import { sizeOf } from '../../shape.js';
import { MOST_NUMBERS, type Numbers } from './value.js';

/** Undefined: not of these shapes; the device does it. */
type Rule = (
  inputs: readonly Numbers[],
  attribute: (name: string) => Attribute | undefined,
) => Numbers | undefined;

/** Equal shapes, or one of them a scalar. */
const elementwise =
  (f: (a: number, b: number) => number, dtype?: Numbers['dtype']): Rule =>
  ([a, b]) => {
    if (a === undefined || b === undefined) return undefined;
    const [longer, scalar] = a.shape.length === 0 ? [b, a] : [a, b];
    if (scalar.shape.length > 0 && scalar.shape.join() !== longer.shape.join()) return undefined;
    const at = ({ shape, data }: Numbers, i: number): number =>
      data[shape.length === 0 ? 0 : i] ?? Number.NaN;
    return {
      dtype: dtype ?? a.dtype,
      shape: longer.shape,
      data: longer.data.map((_, i) => f(at(a, i), at(b, i))),
    };
  };

const truth = (x: boolean): number => (x ? 1 : 0);

const RULES: Readonly<Record<string, Rule>> = {
  AddV2: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  FloorDiv: elementwise((a, b) => Math.floor(a / b)),
  Minimum: elementwise(Math.min),
  Maximum: elementwise(Math.max),
  Greater: elementwise((a, b) => truth(a > b), 'bool'),
  Less: elementwise((a, b) => truth(a < b), 'bool'),
  Equal: elementwise((a, b) => truth(a === b), 'bool'),
  LogicalAnd: elementwise((a, b) => a & b),
  LogicalOr: elementwise((a, b) => a | b),
  LogicalNot: ([x]) => x && { ...x, data: x.data.map((value) => 1 - value) },
  Reshape: ([x, shape]) => {
    if (x === undefined || shape === undefined) return undefined;
    const known = shape.data.filter((size) => size !== -1);
    const rest = x.data.length / sizeOf(known);
    return { ...x, shape: shape.data.map((size) => (size === -1 ? rest : size)) };
  },
  Slice: ([x, begin, size]) => {
    if (x?.shape.length !== 1 || begin === undefined || size === undefined) return undefined;
    const [from = 0] = begin.data;
    const [count = -1] = size.data;
    const data = x.data.slice(from, count === -1 ? undefined : from + count);
    return { ...x, shape: [data.length], data };
  },
  Pack: (inputs) => {
    const [first] = inputs;
    if (first === undefined || inputs.some(({ shape }) => shape.length > 0)) return undefined;
    return { ...first, shape: [inputs.length], data: inputs.flatMap(({ data }) => data) };
  },
};

/** The result, where it can be had without the device. */
export function onNumbers(
  op: string,
  inputs: readonly (Numbers | undefined)[],
  attribute: (name: string) => Attribute | undefined,
): Numbers | undefined {
  const rule = RULES[op];
  if (rule === undefined) return undefined;
  const known: Numbers[] = [];
  for (const input of inputs) {
    // Floats stay where they are computed: one device's rounding, not two.
    if (input === undefined || input.dtype === 'float32' || input.data.length > MOST_NUMBERS)
      return undefined;
    known.push(input);
  }
  return rule(known, attribute);
}
