/**
 * The engine's operations by TensorFlow.js's public API, one call each: what a graph means, independent of the session
 * that runs it fast. Named as in TensorFlow's operation registry.
 */
import * as tf from '@tensorflow/tfjs';
import type { Attribute, DType } from '../graph.js';
import type { Value } from './value.js';

/** Of one run of a graph. */
export interface Run {
  /** By the number that stands for a variable's handle; the run lets go of what is left. */
  readonly variables: Map<number, tf.Tensor>;
  /** Handles so far. */
  handles: number;
}

export type Kernel = (
  inputs: readonly Value[],
  attribute: (name: string) => Attribute | undefined,
  run: Run,
) => tf.Tensor | tf.Tensor[];

const TYPES: Readonly<Record<Exclude<DType, 'bfloat16' | 'resource'>, 'float32' | 'int32' | 'bool'>> = {
  float: 'float32',
  int: 'int32',
  bool: 'bool',
};

/** Sizes, axes and bounds are values of tensors in a graph; the public API wants numbers. */
const numbers = (x: Value | undefined): number[] => [...(x?.read() ?? [])];
const number = (x: Value | undefined): number => numbers(x)[0] ?? Number.NaN;

const tensor = (x: Value | undefined): tf.Tensor => {
  if (x === undefined) throw new TypeError('an input is missing');
  return x.tensor;
};

const isTrue = (attribute: Attribute | undefined): boolean =>
  attribute !== undefined && 'bool' in attribute && attribute.bool;
const integer = (attribute: Attribute | undefined): number =>
  attribute !== undefined && 'int' in attribute ? attribute.int : Number.NaN;

/** The kernel of as many tensors as `f` takes. */
const plain =
  (f: (...tensors: tf.Tensor[]) => tf.Tensor): Kernel =>
  (inputs) =>
    f(...inputs.map(({ tensor }) => tensor));
const unary = (f: (x: tf.Tensor) => tf.Tensor): Kernel => plain((x) => f(x));
const binary = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Kernel => plain((a, b) => f(a, b));
/** Terms of one kernel: a WebGPU device may bind as few as 8 tensors to one, the result among them. */
const TERMS = 7;

function sumOf(terms: readonly tf.Tensor[]): tf.Tensor {
  if (terms.length <= TERMS) return tf.addN([...terms]);
  return sumOf([tf.addN(terms.slice(0, TERMS)), ...terms.slice(TERMS)]);
}

/** The first place of the largest entry: tf.argMax of the webgpu backend gives any of several that are equal. */
function firstLargest(x: tf.Tensor, axis: number): tf.Tensor {
  const last = (x.shape[axis] ?? Number.NaN) - 1;
  const along = x.shape.map((size, i) => (i === axis ? size : 1));
  const places = tf.reshape(tf.range(0, last + 1, 1, 'float32'), along);
  const isLargest = tf.equal(x, tf.max(x, axis, true));
  return tf.cast(tf.min(tf.where(isLargest, places, last), axis), 'int32');
}

/** A sum of no terms is 0, which not every backend knows. */
function product(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor {
  if (a.size > 0 && b.size > 0) return tf.matMul(a, b, transposeA, transposeB);
  const size = ({ shape }: tf.Tensor, fromEnd: number): number => shape[shape.length - fromEnd] ?? Number.NaN;
  return tf.zeros([...a.shape.slice(0, -2), size(a, transposeA ? 1 : 2), size(b, transposeB ? 2 : 1)]);
}

const reduction =
  (f: (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor): Kernel =>
  ([x, axes], attribute) =>
    f(tensor(x), numbers(axes), isTrue(attribute('keep_dims')));

const variable = ({ variables }: Run, handle: Value | undefined): tf.Tensor => {
  const value = variables.get(number(handle));
  if (value === undefined) throw new Error('a variable is read before it has a value');
  return value;
};
/** @param value the variable's from here on. */
const assign = ({ variables }: Run, handle: Value | undefined, value: tf.Tensor | undefined): void => {
  variables.get(number(handle))?.dispose();
  if (value === undefined) variables.delete(number(handle));
  else variables.set(number(handle), tf.keep(value));
};

export const KERNELS: Readonly<Record<string, Kernel>> = {
  AddV2: binary(tf.add),
  Sub: binary(tf.sub),
  Mul: binary(tf.mul),
  RealDiv: binary(tf.div),
  FloorDiv: binary(tf.floorDiv),
  Minimum: binary(tf.minimum),
  Maximum: binary(tf.maximum),
  Exp: unary(tf.exp),
  Log: unary(tf.log),
  Square: unary(tf.square),
  Sqrt: unary(tf.sqrt),
  Rsqrt: unary(tf.rsqrt),
  Cos: unary(tf.cos),
  Sin: unary(tf.sin),
  Sigmoid: unary(tf.sigmoid),
  // A block of attention may have no rows.
  Softmax: unary((x) => (x.size === 0 ? tf.clone(x) : tf.softmax(x))),
  LogSoftmax: unary((x) => tf.logSoftmax(x)),
  L2Loss: unary((x) => tf.div(tf.sum(tf.square(x)), 2)),
  Greater: binary(tf.greater),
  Less: binary(tf.less),
  Equal: binary(tf.equal),
  LogicalAnd: binary(tf.logicalAnd),
  LogicalOr: binary(tf.logicalOr),
  LogicalNot: unary(tf.logicalNot),
  SelectV2: ([condition, a, b]) => tf.where(tensor(condition), tensor(a), tensor(b)),
  AddN: plain((...inputs) => sumOf(inputs)),
  MatMul: ([a, b], attribute) =>
    product(tensor(a), tensor(b), isTrue(attribute('transpose_a')), isTrue(attribute('transpose_b'))),
  BatchMatMulV2: ([a, b], attribute) =>
    product(tensor(a), tensor(b), isTrue(attribute('adj_x')), isTrue(attribute('adj_y'))),
  Reshape: ([x, shape]) => tf.reshape(tensor(x), numbers(shape)),
  Range: ([start, stop, step]) => tf.range(number(start), number(stop), number(step), 'int32'),
  Transpose: ([x, permutation]) => tf.transpose(tensor(x), numbers(permutation)),
  GatherV2: ([table, indices, axis]) => tf.gather(tensor(table), tensor(indices), number(axis)),
  GatherNd: ([table, indices]) => tf.gatherND(tensor(table), tensor(indices)),
  UnsortedSegmentSum: ([rows, segments, count]) =>
    tf.unsortedSegmentSum(tensor(rows), tensor(segments) as tf.Tensor1D, number(count)),
  Pad: ([x, paddings]) => {
    const flat = numbers(paddings);
    return tf.pad(
      tensor(x),
      flat.flatMap((before, i) => (i % 2 === 0 ? [[before, flat[i + 1] ?? 0] as [number, number]] : [])),
    );
  },
  Roll: ([x, shift, axis]) => {
    const [at, along] = [number(shift), number(axis)];
    const size = x?.shape[along] ?? Number.NaN;
    const [head, tail] = tf.split(tensor(x), [size - at, at], along);
    return tf.concat([tail as tf.Tensor, head as tf.Tensor], along);
  },
  TensorScatterAdd: ([x, places, values]) =>
    tf.add(tensor(x), tf.scatterND(tensor(places), tensor(values), [...(x?.shape ?? [])])),
  Split: ([axis, x], attribute) => tf.split(tensor(x), integer(attribute('num_split')), number(axis)),
  SplitV: ([x, sizes, axis]) => tf.split(tensor(x), numbers(sizes), number(axis)),
  BiasAdd: binary(tf.add),
  BiasAddGrad: ([g]) => tf.sum(tensor(g), [0]),
  UpperBound: ([sorted, values]) => tf.upperBound(tensor(sorted), tensor(values)),
  ConcatV2: (inputs) => tf.concat(inputs.slice(0, -1).map(tensor), number(inputs.at(-1))),
  Pack: (inputs, attribute) => tf.stack(inputs.map(tensor), integer(attribute('axis'))),
  Slice: ([x, begin, size]) => tf.slice(tensor(x), numbers(begin), numbers(size)),
  TopKV2: ([x, k]) => {
    const { values, indices } = tf.topk(tensor(x), number(k), true);
    return [values, indices];
  },
  // By value: who goes on with the result sees the same as with the update in place.
  InplaceUpdate: ([x, rows, values]) =>
    tf.tensorScatterUpdate(tensor(x), tf.expandDims(tensor(rows), 1), tensor(values)),
  AssignVariableOp: ([handle, value], _, run) => {
    assign(run, handle, tf.clone(tensor(value)));
    return [];
  },
  ReadVariableOp: ([handle], _, run) => tf.clone(variable(run, handle)),
  DestroyResourceOp: ([handle], _, run) => {
    assign(run, handle, undefined);
    return [];
  },
  // As the session's kernel computes it, powers of the betas at 0: no correction of the bias.
  ResourceApplyAdam: ([p, m, v, , , rate, b1, b2, epsilon, g], _, run) => {
    const toward = (from: tf.Tensor, to: tf.Tensor, beta: Value | undefined): tf.Tensor =>
      tf.add(from, tf.mul(tf.sub(to, from), tf.sub(1, tensor(beta))));
    const first = toward(variable(run, m), tensor(g), b1);
    const second = toward(variable(run, v), tf.square(tensor(g)), b2);
    const move = tf.div(tf.mul(tensor(rate), first), tf.add(tf.sqrt(second), tensor(epsilon)));
    assign(run, p, tf.sub(variable(run, p), move));
    assign(run, m, first);
    assign(run, v, second);
    return [];
  },
  Sum: reduction(tf.sum),
  Max: reduction(tf.max),
  Min: reduction(tf.min),
  Mean: reduction(tf.mean),
  All: reduction(tf.all),
  ArgMax: ([x, axis]) => firstLargest(tensor(x), number(axis)),
  Cumsum: ([x, axis]) => tf.cumsum(tensor(x), number(axis)),
  Cast: ([x], attribute) => {
    const to = attribute('DstT');
    if (to === undefined || !('type' in to)) throw new Error('Cast has no DstT');
    if (to.type === 'bfloat16' || to.type === 'resource')
      throw new Error(`the public API casts nothing to ${to.type}`);
    return tf.cast(tensor(x), TYPES[to.type]);
  },
  OneHot: ([indices, depth]) => tf.cast(tf.oneHot(tensor(indices) as tf.Tensor1D, number(depth)), 'float32'),
  Fill: ([shape, value]) => tf.fill(numbers(shape), number(value), value?.numbers?.dtype ?? 'float32'),
};
