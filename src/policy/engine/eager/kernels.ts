/**
 * The engine's operations by TensorFlow.js's public API, one call each: what a graph means, independent of the session
 * that runs it fast. Named as in TensorFlow's operation registry.
 */
import * as tf from '@tensorflow/tfjs';
import type { Attribute, DType } from '../graph.js';

export type Kernel = (
  inputs: readonly tf.Tensor[],
  attribute: (name: string) => Attribute | undefined,
) => tf.Tensor | readonly tf.Tensor[];

const TYPES: Readonly<Record<Exclude<DType, 'bfloat16' | 'resource'>, 'float32' | 'int32' | 'bool'>> = {
  float: 'float32',
  int: 'int32',
  bool: 'bool',
};

/** Sizes, axes and bounds are values of tensors in a graph; the public API wants numbers. */
const numbers = (x: tf.Tensor): number[] => Array.from(x.dataSync());
const number = (x: tf.Tensor): number => numbers(x)[0] ?? Number.NaN;

const isTrue = (attribute: Attribute | undefined): boolean =>
  attribute !== undefined && 'bool' in attribute && attribute.bool;
const integer = (attribute: Attribute | undefined): number =>
  attribute !== undefined && 'int' in attribute ? attribute.int : Number.NaN;

const unary =
  (f: (x: tf.Tensor) => tf.Tensor): Kernel =>
  ([x]) =>
    f(x as tf.Tensor);
const binary =
  (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Kernel =>
  ([a, b]) =>
    f(a as tf.Tensor, b as tf.Tensor);
const reduction =
  (f: (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor): Kernel =>
  ([x, axes], attribute) =>
    f(x as tf.Tensor, numbers(axes as tf.Tensor), isTrue(attribute('keep_dims')));

/**
 * Variables by the number that stands for their handle. They live within a run: what is left of one that failed is let go
 * of with the next variable of its number.
 */
const variables = new Map<number, tf.Tensor>();
let made = 0;
const variable = (handle: tf.Tensor | undefined): tf.Tensor => {
  const value = variables.get(number(handle as tf.Tensor));
  if (value === undefined) throw new Error('a variable is read before it has a value');
  return value;
};
const assign = (handle: tf.Tensor | undefined, value: tf.Tensor): void =>
  void variables.set(number(handle as tf.Tensor), value);

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
  Softmax: unary((x) => tf.softmax(x)),
  LogSoftmax: unary((x) => tf.logSoftmax(x)),
  L2Loss: unary((x) => tf.div(tf.sum(tf.square(x)), 2)),
  Identity: unary((x) => tf.clone(x)),
  Greater: binary(tf.greater),
  Less: binary(tf.less),
  Equal: binary(tf.equal),
  LogicalAnd: binary(tf.logicalAnd),
  LogicalOr: binary(tf.logicalOr),
  LogicalNot: unary(tf.logicalNot),
  SelectV2: ([condition, a, b]) => tf.where(condition as tf.Tensor, a as tf.Tensor, b as tf.Tensor),
  AddN: (inputs) => tf.addN([...inputs]),
  MatMul: ([a, b], attribute) =>
    tf.matMul(
      a as tf.Tensor,
      b as tf.Tensor,
      isTrue(attribute('transpose_a')),
      isTrue(attribute('transpose_b')),
    ),
  BatchMatMulV2: ([a, b], attribute) =>
    tf.matMul(a as tf.Tensor, b as tf.Tensor, isTrue(attribute('adj_x')), isTrue(attribute('adj_y'))),
  Reshape: ([x, shape]) => tf.reshape(x as tf.Tensor, numbers(shape as tf.Tensor)),
  Shape: ([x]) => tf.tensor1d((x as tf.Tensor).shape, 'int32'),
  Range: ([start, stop, step]) =>
    tf.range(
      number(start as tf.Tensor),
      number(stop as tf.Tensor),
      number(step as tf.Tensor),
      (start as tf.Tensor).dtype as 'int32',
    ),
  Transpose: ([x, permutation]) => tf.transpose(x as tf.Tensor, numbers(permutation as tf.Tensor)),
  GatherV2: ([table, indices, axis]) =>
    tf.gather(table as tf.Tensor, indices as tf.Tensor1D, number(axis as tf.Tensor)),
  GatherNd: ([table, indices]) => tf.gatherND(table as tf.Tensor, indices as tf.Tensor),
  UnsortedSegmentSum: ([rows, segments, count]) =>
    tf.unsortedSegmentSum(rows as tf.Tensor, segments as tf.Tensor1D, number(count as tf.Tensor)),
  Pad: ([x, paddings]) => {
    const flat = numbers(paddings as tf.Tensor);
    return tf.pad(
      x as tf.Tensor,
      flat.flatMap((before, i) => (i % 2 === 0 ? [[before, flat[i + 1] ?? 0] as [number, number]] : [])),
    );
  },
  Roll: ([x, shift, axis]) => {
    const [at, along] = [number(shift as tf.Tensor), number(axis as tf.Tensor)];
    const size = x?.shape[along] ?? Number.NaN;
    const [head, tail] = tf.split(x as tf.Tensor, [size - at, at], along);
    return tf.concat([tail as tf.Tensor, head as tf.Tensor], along);
  },
  TensorScatterAdd: ([x, places, values]) =>
    tf.add(x as tf.Tensor, tf.scatterND(places as tf.Tensor, values as tf.Tensor, x?.shape ?? [])),
  Split: ([axis, x], attribute) =>
    tf.split(x as tf.Tensor, integer(attribute('num_split')), number(axis as tf.Tensor)),
  SplitV: ([x, sizes, axis]) =>
    tf.split(x as tf.Tensor, numbers(sizes as tf.Tensor), number(axis as tf.Tensor)),
  BiasAdd: binary(tf.add),
  BiasAddGrad: ([g]) => tf.sum(g as tf.Tensor, [0]),
  UpperBound: ([sorted, values]) => tf.upperBound(sorted as tf.Tensor, values as tf.Tensor),
  ConcatV2: (inputs) => tf.concat(inputs.slice(0, -1), number(inputs.at(-1) as tf.Tensor)),
  Pack: (inputs, attribute) => tf.stack([...inputs], integer(attribute('axis'))),
  Slice: ([x, begin, size]) =>
    tf.slice(x as tf.Tensor, numbers(begin as tf.Tensor), numbers(size as tf.Tensor)),
  TopKV2: ([x, k]) => {
    const { values, indices } = tf.topk(x as tf.Tensor, number(k as tf.Tensor), true);
    return [values, indices];
  },
  // By value: who goes on with the result sees the same as with the update in place.
  InplaceUpdate: ([x, rows, values]) =>
    tf.tensorScatterUpdate(x as tf.Tensor, tf.expandDims(rows as tf.Tensor, 1), values as tf.Tensor),
  VarHandleOp: () => tf.scalar((made = (made + 1) % 2 ** 24), 'int32'),
  AssignVariableOp: ([handle, value]) => {
    assign(handle, value as tf.Tensor);
    return [];
  },
  ReadVariableOp: ([handle]) => tf.clone(variable(handle)),
  DestroyResourceOp: ([handle]) => {
    variables.delete(number(handle as tf.Tensor));
    return [];
  },
  // As the session's kernel computes it, powers of the betas at 0: no correction of the bias.
  ResourceApplyAdam: ([p, m, v, , , rate, b1, b2, epsilon, g]) => {
    const toward = (from: tf.Tensor, to: tf.Tensor, beta: tf.Tensor): tf.Tensor =>
      tf.add(from, tf.mul(tf.sub(to, from), tf.sub(1, beta)));
    const first = toward(variable(m), g as tf.Tensor, b1 as tf.Tensor);
    const second = toward(variable(v), tf.square(g as tf.Tensor), b2 as tf.Tensor);
    const move = tf.div(tf.mul(rate as tf.Tensor, first), tf.add(tf.sqrt(second), epsilon as tf.Tensor));
    assign(p, tf.sub(variable(p), move));
    assign(m, first);
    assign(v, second);
    return [];
  },
  Sum: reduction(tf.sum),
  Max: reduction(tf.max),
  Min: reduction(tf.min),
  Mean: reduction(tf.mean),
  All: reduction(tf.all),
  ArgMax: ([x, axis]) => tf.argMax(x as tf.Tensor, number(axis as tf.Tensor)),
  Cumsum: ([x, axis]) => tf.cumsum(x as tf.Tensor, number(axis as tf.Tensor)),
  Cast: ([x], attribute) => {
    const to = attribute('DstT');
    if (to === undefined || !('type' in to)) throw new Error('Cast has no DstT');
    if (to.type === 'bfloat16' || to.type === 'resource')
      throw new Error(`the public API casts nothing to ${to.type}`);
    return tf.cast(x as tf.Tensor, TYPES[to.type]);
  },
  OneHot: ([indices, depth]) =>
    tf.cast(tf.oneHot(indices as tf.Tensor1D, number(depth as tf.Tensor)), 'float32'),
  Fill: ([shape, value]) =>
    tf.fill(numbers(shape as tf.Tensor), number(value as tf.Tensor), (value as tf.Tensor).dtype),
};
