/** TensorFlow operations on graph symbols, with the attributes that each needs. Shapes stand in the callers' comments. */
import type { DType, Graph, Tensor } from './graph.js';

/** Sizes along the axes. */
export type Shape = readonly (number | Tensor)[];

const numeric = (x: Tensor): { readonly T: { readonly type: DType } } => ({ T: { type: x.dtype } });

export class Operations {
  readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  #binary(op: string, a: Tensor, b: Tensor): Tensor {
    return this.graph.op1(op, [a, b], numeric(a), a.dtype);
  }

  #unary(op: string, x: Tensor): Tensor {
    return this.graph.op1(op, [x], numeric(x), x.dtype);
  }

  #compare(op: string, a: Tensor, b: Tensor): Tensor {
    return this.graph.op1(op, [a, b], numeric(a), 'bool');
  }

  add = (a: Tensor, b: Tensor): Tensor => this.#binary('AddV2', a, b);
  sub = (a: Tensor, b: Tensor): Tensor => this.#binary('Sub', a, b);
  mul = (a: Tensor, b: Tensor): Tensor => this.#binary('Mul', a, b);
  div = (a: Tensor, b: Tensor): Tensor => this.#binary('RealDiv', a, b);
  floorDiv = (a: Tensor, b: Tensor): Tensor => this.#binary('FloorDiv', a, b);
  minimum = (a: Tensor, b: Tensor): Tensor => this.#binary('Minimum', a, b);
  maximum = (a: Tensor, b: Tensor): Tensor => this.#binary('Maximum', a, b);
  exp = (x: Tensor): Tensor => this.#unary('Exp', x);
  log = (x: Tensor): Tensor => this.#unary('Log', x);
  square = (x: Tensor): Tensor => this.#unary('Square', x);
  sqrt = (x: Tensor): Tensor => this.#unary('Sqrt', x);
  rsqrt = (x: Tensor): Tensor => this.#unary('Rsqrt', x);
  cos = (x: Tensor): Tensor => this.#unary('Cos', x);
  sin = (x: Tensor): Tensor => this.#unary('Sin', x);
  sigmoid = (x: Tensor): Tensor => this.#unary('Sigmoid', x);
  softmax = (x: Tensor): Tensor => this.#unary('Softmax', x);
  logSoftmax = (x: Tensor): Tensor => this.#unary('LogSoftmax', x);
  l2Loss = (x: Tensor): Tensor => this.#unary('L2Loss', x);
  identity = (x: Tensor): Tensor => this.#unary('Identity', x);
  /** x, not before `dependency` is there. */
  after(x: Tensor, dependency: Tensor): Tensor {
    const [output] = this.graph.op('Identity', [x], numeric(x), [x.dtype], [dependency]);
    return output as Tensor;
  }

  greater = (a: Tensor, b: Tensor): Tensor => this.#compare('Greater', a, b);
  less = (a: Tensor, b: Tensor): Tensor => this.#compare('Less', a, b);
  equal = (a: Tensor, b: Tensor): Tensor => this.#compare('Equal', a, b);
  and = (a: Tensor, b: Tensor): Tensor => this.graph.op1('LogicalAnd', [a, b], {}, 'bool');
  or = (a: Tensor, b: Tensor): Tensor => this.graph.op1('LogicalOr', [a, b], {}, 'bool');
  not = (a: Tensor): Tensor => this.graph.op1('LogicalNot', [a], {}, 'bool');

  /** Elementwise choice; the condition broadcasts. */
  select(condition: Tensor, a: Tensor, b: Tensor): Tensor {
    return this.graph.op1('SelectV2', [condition, a, b], numeric(a), a.dtype);
  }

  addN(tensors: readonly Tensor[]): Tensor {
    const [first, ...rest] = tensors;
    if (first === undefined) throw new RangeError('tensors is empty; at least one is needed');
    return rest.length === 0
      ? first
      : this.graph.op1('AddN', tensors, { ...numeric(first), N: { int: tensors.length } }, first.dtype);
  }

  matMul(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
    return this.graph.op1(
      'MatMul',
      [a, b],
      { ...numeric(a), transpose_a: { bool: transposeA }, transpose_b: { bool: transposeB } },
      a.dtype,
    );
  }

  /** Over the last two axes. */
  batchMatMul(a: Tensor, b: Tensor, adjointA = false, adjointB = false): Tensor {
    return this.graph.op1(
      'BatchMatMulV2',
      [a, b],
      { ...numeric(a), adj_x: { bool: adjointA }, adj_y: { bool: adjointB } },
      a.dtype,
    );
  }

  /** One size may be -1; sizes that are known only when the graph runs are scalar symbols, or the shape is an int vector. */
  reshape(x: Tensor, shape: Shape | Tensor): Tensor {
    return this.graph.op1(
      'Reshape',
      [x, 'name' in shape ? shape : this.sizes(shape)],
      { ...numeric(x), Tshape: { type: 'int' } },
      x.dtype,
    );
  }

  /** A shape as an int vector. */
  sizes(shape: Shape): Tensor {
    const numbers = shape.filter((size) => typeof size === 'number');
    return numbers.length === shape.length
      ? this.graph.ints(numbers)
      : this.stackVector(shape.map((size) => (typeof size === 'number' ? this.graph.int(size) : size)));
  }

  /** 0, 1, ..., count - 1 */
  range(count: Tensor): Tensor {
    return this.rangeBetween(this.graph.int(0), count);
  }

  /** begin, begin + 1, ..., end - 1 */
  rangeBetween(begin: Tensor, end: Tensor): Tensor {
    return this.graph.op1('Range', [begin, end, this.graph.int(1)], { Tidx: { type: 'int' } }, 'int');
  }

  /** Size of one axis, as a scalar symbol. */
  size(x: Tensor, axis: number): Tensor {
    return this.entry(this.shape(x), axis);
  }

  transpose(x: Tensor, permutation: readonly number[]): Tensor {
    return this.graph.op1(
      'Transpose',
      [x, this.graph.ints(permutation)],
      { ...numeric(x), Tperm: { type: 'int' } },
      x.dtype,
    );
  }

  /** Rows of `table` (axis 0) by index. */
  gather(table: Tensor, indices: Tensor): Tensor {
    return this.graph.op1(
      'GatherV2',
      [table, indices, this.graph.int(0)],
      { Tparams: { type: table.dtype }, Tindices: { type: 'int' }, Taxis: { type: 'int' } },
      table.dtype,
    );
  }

  /** a [n], b [n] -> [n, 2] */
  pairs(a: Tensor, b: Tensor): Tensor {
    return this.graph.op1('Pack', [a, b], { ...numeric(a), N: { int: 2 }, axis: { int: 1 } }, a.dtype);
  }

  gatherNd(table: Tensor, indices: Tensor): Tensor {
    return this.graph.op1(
      'GatherNd',
      [table, indices],
      { Tparams: { type: table.dtype }, Tindices: { type: 'int' } },
      table.dtype,
    );
  }

  /** result[s] = sum of rows whose segment is s. */
  segmentSum(rows: Tensor, segments: Tensor, count: Tensor): Tensor {
    return this.graph.op1(
      'UnsortedSegmentSum',
      [rows, segments, count],
      { ...numeric(rows), Tindices: { type: 'int' }, Tnumsegments: { type: 'int' } },
      rows.dtype,
    );
  }

  /** x [n, d] with `rows` [m, d] added at `indices` [m]; x itself is overwritten where nothing else takes it. */
  scatterAdd(x: Tensor, indices: Tensor, rows: Tensor): Tensor {
    return this.addAt(x, this.reshape(indices, [-1, 1]), rows);
  }

  /** x [n, d] with `values` [m] added at places [m, 2], as by `scatterAdd`. */
  addAt(x: Tensor, places: Tensor, values: Tensor): Tensor {
    return this.graph.op1(
      'TensorScatterAdd',
      [x, places, values],
      { ...numeric(x), Tindices: { type: 'int' } },
      x.dtype,
    );
  }

  /** Parts of the given sizes along `axis`. */
  split(x: Tensor, axis: number, parts: readonly number[]): Tensor[] {
    const outputs = parts.map(() => x.dtype);
    const count = { ...numeric(x), num_split: { int: parts.length } };
    return parts.every((size) => size === parts[0])
      ? this.graph.op('Split', [this.graph.int(axis), x], count, outputs)
      : this.graph.op(
          'SplitV',
          [x, this.graph.ints(parts), this.graph.int(axis)],
          { ...count, Tlen: { type: 'int' } },
          outputs,
        );
  }

  /** Two parts along `axis`, whose sizes, an int vector, are known when the graph runs. */
  splitInTwo(x: Tensor, axis: number, sizes: Tensor): [Tensor, Tensor] {
    return this.graph.op(
      'SplitV',
      [x, sizes, this.graph.int(axis)],
      { ...numeric(x), num_split: { int: 2 }, Tlen: { type: 'int' } },
      [x.dtype, x.dtype],
    ) as [Tensor, Tensor];
  }

  concat(tensors: readonly Tensor[], axis: number): Tensor {
    const [first] = tensors;
    if (first === undefined) throw new RangeError('tensors is empty; at least one is needed');
    return this.graph.op1(
      'ConcatV2',
      [...tensors, this.graph.int(axis)],
      { ...numeric(first), N: { int: tensors.length }, Tidx: { type: 'int' } },
      first.dtype,
    );
  }

  /** x[..., begin : begin + size] along `axis` of a tensor of `rank`; size -1 is the rest. */
  slice(x: Tensor, rank: number, axis: number, begin: number, size: number): Tensor {
    const at = Array.from({ length: rank }, (_, i) => (i === axis ? begin : 0));
    const sizes = Array.from({ length: rank }, (_, i) => (i === axis ? size : -1));
    return this.graph.op1(
      'Slice',
      [x, this.graph.ints(at), this.graph.ints(sizes)],
      { ...numeric(x), Index: { type: 'int' } },
      x.dtype,
    );
  }

  /** x[..., begin : end] along `axis` of a tensor of `rank`, bounds known when the graph runs; null is the edge. */
  sliceBetween(x: Tensor, rank: number, axis: number, begin: Tensor | null, end: Tensor | null): Tensor {
    const zero = this.graph.int(0);
    const at = this.sizes(Array.from({ length: rank }, (_, i) => (i === axis ? (begin ?? zero) : 0)));
    const size = end === null ? -1 : begin === null ? end : this.sub(end, begin);
    const sizes = this.sizes(Array.from({ length: rank }, (_, i) => (i === axis ? size : -1)));
    return this.graph.op1('Slice', [x, at, sizes], { ...numeric(x), Index: { type: 'int' } }, x.dtype);
  }

  /** x with entry i of `axis` at i + shift, cyclically. */
  roll(x: Tensor, axis: number, shift: number): Tensor {
    return this.graph.op1(
      'Roll',
      [x, this.graph.int(shift), this.graph.int(axis)],
      { ...numeric(x), Tshift: { type: 'int' }, Taxis: { type: 'int' } },
      x.dtype,
    );
  }

  /** x with `count` zeros behind it along `axis` of a tensor of `rank`. */
  padEnd(x: Tensor, rank: number, axis: number, count: Tensor): Tensor {
    // [rank, 2]: before and behind each axis
    const sizes = this.sizes(Array.from({ length: 2 * rank }, (_, i) => (i === 2 * axis + 1 ? count : 0)));
    return this.graph.op1(
      'Pad',
      [x, this.reshape(sizes, [rank, 2])],
      { ...numeric(x), Tpaddings: { type: 'int' } },
      x.dtype,
    );
  }

  /** x [n, m] + bias [m] */
  addBias(x: Tensor, bias: Tensor): Tensor {
    return this.graph.op1('BiasAdd', [x, bias], numeric(x), x.dtype);
  }

  /** Sums over rows: [n, m] -> [m] */
  biasGradient(g: Tensor): Tensor {
    return this.graph.op1('BiasAddGrad', [g], numeric(g), g.dtype);
  }

  /** sorted [n, v], values [n, m] -> how many entries of each row are at most the value: [n, m] int */
  upperBound(sorted: Tensor, values: Tensor): Tensor {
    return this.graph.op1(
      'UpperBound',
      [sorted, values],
      { ...numeric(sorted), out_type: { type: 'int' } },
      'int',
    );
  }

  /** The `count` largest entries of each row, largest first. */
  largest(x: Tensor, count: number): Tensor {
    const [values] = this.graph.op(
      'TopKV2',
      [x, this.graph.int(count)],
      { ...numeric(x), Tk: { type: 'int' }, index_type: { type: 'int' }, sorted: { bool: true } },
      [x.dtype, 'int'],
    );
    return values as Tensor;
  }

  /** x with rows replaced, in place: what is fed is changed too, and no other use of x may come later. */
  updateRows(x: Tensor, rows: Tensor, values: Tensor): Tensor {
    return this.graph.op1('InplaceUpdate', [x, rows, values], numeric(x), x.dtype);
  }

  /**
   * Adam's step (Kingma and Ba 2015, arXiv 1412.6980) in one pass over memory, in variables that live within a run:
   *
   *   m = m + (1 - b1) (g - m);  v = v + (1 - b2) (g^2 - v);  p = p - rate * m / (sqrt(v) + epsilon)
   *
   * @param p a tensor that nothing else takes is overwritten; m and v are copied where they are fed.
   * @param settings scalars
   * @returns p, m and v after the step.
   */
  adam(
    { p, m, v, g }: Readonly<Record<'p' | 'm' | 'v' | 'g', Tensor>>,
    settings: Readonly<Record<'rate' | 'b1' | 'b2' | 'epsilon', Tensor>>,
  ): [Tensor, Tensor, Tensor] {
    const { graph } = this;
    const dtype = { dtype: { type: p.dtype } };
    const before = [p, m, v];
    const variables = before.map((value) => {
      const [handle] = graph.op(
        'VarHandleOp',
        [],
        { ...dtype, shape: { unknownRank: true }, shared_name: { string: `of ${value.name}` } },
        ['resource'],
      );
      return handle as Tensor;
    });
    // Nodes without an output are named by one that is never asked for.
    const assigned = variables.map((handle, i) =>
      graph.op1('AssignVariableOp', [handle, before[i] as Tensor], dtype, 'resource'),
    );
    // No correction of the bias here: what the callers want of it is in the rate and in epsilon.
    const zero = graph.scalar(0);
    const { rate, b1, b2, epsilon } = settings;
    const [stepped] = graph.op(
      'ResourceApplyAdam',
      [...variables, zero, zero, rate, b1, b2, epsilon, g],
      numeric(g),
      ['resource'],
      assigned,
    );
    return variables.map((handle) => {
      const [read] = graph.op('ReadVariableOp', [handle], dtype, [p.dtype], [stepped as Tensor]);
      const [gone] = graph.op('DestroyResourceOp', [handle], {}, ['resource'], [read as Tensor]);
      return this.after(read as Tensor, gone as Tensor);
    }) as [Tensor, Tensor, Tensor];
  }

  #reduce(op: string, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
    const attributes = op === 'All' ? {} : numeric(x);
    return this.graph.op1(
      op,
      [x, this.graph.ints(axes)],
      { ...attributes, Tidx: { type: 'int' }, keep_dims: { bool: keepDims } },
      x.dtype,
    );
  }

  sum = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
    this.#reduce('Sum', x, axes, keepDims);
  mean = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
    this.#reduce('Mean', x, axes, keepDims);
  max = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
    this.#reduce('Max', x, axes, keepDims);
  min = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
    this.#reduce('Min', x, axes, keepDims);
  all = (x: Tensor, axes: readonly number[]): Tensor => this.#reduce('All', x, axes, false);

  argMax(x: Tensor, axis: number): Tensor {
    return this.graph.op1(
      'ArgMax',
      [x, this.graph.int(axis)],
      { ...numeric(x), Tidx: { type: 'int' }, output_type: { type: 'int' } },
      'int',
    );
  }

  cumulativeSum(x: Tensor, axis: number): Tensor {
    return this.graph.op1(
      'Cumsum',
      [x, this.graph.int(axis)],
      { ...numeric(x), Tidx: { type: 'int' } },
      x.dtype,
    );
  }

  cast(x: Tensor, dtype: DType): Tensor {
    return this.graph.op1('Cast', [x], { SrcT: { type: x.dtype }, DstT: { type: dtype } }, dtype);
  }

  shape(x: Tensor): Tensor {
    return this.graph.op1('Shape', [x], { ...numeric(x), out_type: { type: 'int' } }, 'int');
  }

  oneHot(indices: Tensor, depth: number): Tensor {
    return this.graph.op1(
      'OneHot',
      [indices, this.graph.int(depth), this.graph.scalar(1), this.graph.scalar(0)],
      { T: { type: 'float' }, TI: { type: 'int' }, axis: { int: -1 } },
      'float',
    );
  }

  /** Entry `index` of a vector, as a scalar. */
  entry(vector: Tensor, index: number): Tensor {
    return this.reshape(this.slice(vector, 1, 0, index, 1), []);
  }

  fill(shape: Tensor, value: Tensor): Tensor {
    return this.graph.op1(
      'Fill',
      [shape, value],
      { T: { type: value.dtype }, index_type: { type: 'int' } },
      value.dtype,
    );
  }

  stackVector(scalars: readonly Tensor[]): Tensor {
    const [first] = scalars;
    if (first === undefined) throw new RangeError('scalars is empty; at least one is needed');
    return this.graph.op1(
      'Pack',
      scalars,
      { ...numeric(first), N: { int: scalars.length }, axis: { int: 0 } },
      first.dtype,
    );
  }
}
