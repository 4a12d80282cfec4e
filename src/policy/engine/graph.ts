/**
 * Builds a TensorFlow graph once, to be run many times by the native session: no per-operation cost in script code.
 *
 * A `Tensor` here is a symbol: the output of a node. Loops are TensorFlow's dataflow loops (Enter, Merge, Switch,
 * NextIteration, Exit; Yu et al. 2018, "Dynamic control flow in large-scale machine learning"); what a loop's body uses
 * from outside is captured by itself.
 */
import { ProtoWriter } from './protobuf.js';

/** Values of TensorFlow's DataType enumeration (types.proto). */
export const DTYPE = { float: 1, int: 3, bool: 10, bfloat16: 14, resource: 20 } as const;
export type DType = keyof typeof DTYPE;

interface Frame {
  readonly name: string;
  readonly parent: Frame | null;
  readonly captured: Map<string, Tensor>;
}

export interface Tensor {
  /** `node:index` */
  readonly name: string;
  readonly dtype: DType;
  readonly frame: Frame | null;
}

export type Attribute =
  | { readonly type: DType }
  | { readonly int: number }
  | { readonly float: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly shape: readonly number[] }
  | { readonly unknownRank: true }
  | {
      readonly tensor: { readonly dtype: DType; readonly shape: readonly number[]; readonly content: Buffer };
    };

export interface Node {
  readonly name: string;
  readonly op: string;
  /** Names of tensors; after them `^` and the name of a node that has to run before this one. */
  readonly inputs: string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** How many there are. */
  readonly outputs: number;
}

/** Where a loop stands among the nodes: from its first Enter to behind its last Exit. */
export interface Loop {
  readonly begin: number;
  readonly end: number;
  /** By variable. */
  readonly merges: readonly Node[];
  readonly condition: Node;
}

/** The GraphDef version that libtensorflow 2.18 writes or any before it. */
const PRODUCER_VERSION = 1882;

export class Graph {
  readonly #nodes: Node[] = [];
  readonly #loops: Loop[] = [];
  readonly #constants = new Map<string, Tensor>();
  #frame: Frame | null = null;

  /** In an order in which each node's inputs come before it, but for a loop's way back into its Merge nodes. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  get loops(): readonly Loop[] {
    return this.#loops;
  }

  /**
   * A node; its outputs have the given types. Inputs from outside the current loop are captured.
   * @param after what has to be there before the node runs, beside its inputs.
   */
  op(
    op: string,
    inputs: readonly Tensor[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly DType[],
    after: readonly Tensor[] = [],
  ): Tensor[] {
    const frame = inputs.length === 0 ? null : this.#frame;
    // Captures add nodes of their own, so they come before this one's name.
    const names = [
      ...inputs.map((input) => this.#captured(input).name),
      ...after.map(({ name }) => `^${nodeName(name)}`),
    ];
    const node: Node = {
      name: `n${this.#nodes.length}`,
      op,
      inputs: names,
      attributes,
      outputs: outputs.length,
    };
    this.#nodes.push(node);
    return outputs.map((dtype, index) => ({ name: `${node.name}:${index}`, dtype, frame }));
  }

  /** The only output of a node. */
  op1(
    op: string,
    inputs: readonly Tensor[],
    attributes: Readonly<Record<string, Attribute>>,
    dtype: DType,
  ): Tensor {
    const [output] = this.op(op, inputs, attributes, [dtype]);
    if (output === undefined) throw new Error(`operation ${op} gave no output`);
    return output;
  }

  #captured(tensor: Tensor): Tensor {
    const frame = this.#frame;
    if (tensor.frame === frame || frame === null) return tensor;
    const known = frame.captured.get(tensor.name);
    if (known !== undefined) return known;
    const entered = this.#enter(tensor, frame, true);
    frame.captured.set(tensor.name, entered);
    return entered;
  }

  #enter(tensor: Tensor, frame: Frame, isConstant: boolean): Tensor {
    const name = `n${this.#nodes.length}`;
    this.#nodes.push({
      name,
      op: 'Enter',
      inputs: [tensor.name],
      attributes: {
        T: { type: tensor.dtype },
        frame_name: { string: frame.name },
        is_constant: { bool: isConstant },
        parallel_iterations: { int: 1 },
      },
      outputs: 1,
    });
    return { name: `${name}:0`, dtype: tensor.dtype, frame };
  }

  placeholder(dtype: DType): Tensor {
    return this.op1('Placeholder', [], { dtype: { type: dtype } }, dtype);
  }

  constant(values: Float32Array | Int32Array, shape: readonly number[]): Tensor {
    const dtype = values instanceof Float32Array ? 'float' : 'int';
    const content = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const key = `${dtype} ${shape.join(',')} ${content.length <= 256 ? content.toString('hex') : ''}`;
    const known = content.length <= 256 ? this.#constants.get(key) : undefined;
    if (known !== undefined) return known;
    const made = this.op1(
      'Const',
      [],
      { dtype: { type: dtype }, value: { tensor: { dtype, shape, content } } },
      dtype,
    );
    this.#constants.set(key, made);
    return made;
  }

  scalar(value: number): Tensor {
    return this.constant(Float32Array.of(value), []);
  }

  ints(values: readonly number[]): Tensor {
    return this.constant(Int32Array.from(values), [values.length]);
  }

  int(value: number): Tensor {
    return this.constant(Int32Array.of(value), []);
  }

  /**
   * While `condition(variables)` holds, variables = body(variables). Shapes may change from turn to turn.
   * @returns the variables after the last turn.
   */
  whileLoop(
    initial: readonly Tensor[],
    condition: (variables: readonly Tensor[]) => Tensor,
    body: (variables: readonly Tensor[]) => readonly Tensor[],
  ): Tensor[] {
    const outer = this.#frame;
    const begin = this.#nodes.length;
    const frame: Frame = { name: `while${this.#nodes.length}`, parent: outer, captured: new Map() };
    if (outer !== null) throw new Error('loops within loops are not supported');
    const entered = initial.map((tensor) => this.#enter(tensor, frame, false));
    this.#frame = frame;
    const merges = entered.map((tensor) => {
      const [merge] = this.op('Merge', [tensor, tensor], { T: { type: tensor.dtype }, N: { int: 2 } }, [
        tensor.dtype,
        'int',
      ]);
      return merge as Tensor;
    });
    const mergeNodes = merges.map((merge) => this.#nodeOf(merge));
    const predicate = this.op1('LoopCond', [condition(merges)], {}, 'bool');
    const switches = merges.map((merge) =>
      this.op('Switch', [merge, predicate], { T: { type: merge.dtype } }, [merge.dtype, merge.dtype]),
    );
    const inside = switches.map(([, whenTrue]) =>
      this.op1(
        'Identity',
        [whenTrue as Tensor],
        { T: { type: (whenTrue as Tensor).dtype } },
        (whenTrue as Tensor).dtype,
      ),
    );
    const next = body(inside);
    if (next.length !== initial.length)
      throw new Error(`the loop's body gives ${next.length} variables, not ${initial.length}`);
    next.forEach((tensor, i) => {
      const turned = this.op1('NextIteration', [tensor], { T: { type: tensor.dtype } }, tensor.dtype);
      const merge = mergeNodes[i];
      if (merge !== undefined) merge.inputs[1] = turned.name;
    });
    const exits = switches.map(([whenFalse]) => {
      const tensor = whenFalse as Tensor;
      return { ...this.op1('Exit', [tensor], { T: { type: tensor.dtype } }, tensor.dtype), frame: outer };
    });
    this.#frame = outer;
    this.#loops.push({
      begin,
      end: this.#nodes.length,
      merges: mergeNodes,
      condition: this.#nodeOf(predicate),
    });
    return exits;
  }

  #nodeOf(tensor: Tensor): Node {
    const node = this.#nodes[Number(nodeName(tensor.name).slice(1))];
    if (node === undefined) throw new Error(`no node for ${tensor.name}`);
    return node;
  }

  /** A SavedModel (saved_model.proto) with this graph under the tag `serve`. */
  savedModel(): Buffer {
    const graph = new ProtoWriter();
    for (const node of this.#nodes) graph.bytes(1, encodeNode(node));
    graph.bytes(4, new ProtoWriter().varint(1, PRODUCER_VERSION));
    const meta = new ProtoWriter()
      .bytes(1, new ProtoWriter().bytes(4, 'serve').bytes(5, '2.18.1'))
      .bytes(2, graph);
    return new ProtoWriter().varint(1, 1).bytes(2, meta).finish();
  }
}

const nodeName = (tensor: string): string => tensor.slice(0, tensor.indexOf(':'));

function encodeNode(node: Node): ProtoWriter {
  const writer = new ProtoWriter().bytes(1, node.name).bytes(2, node.op);
  for (const input of node.inputs) writer.bytes(3, input.endsWith(':0') ? input.slice(0, -2) : input);
  for (const [name, attribute] of Object.entries(node.attributes))
    writer.bytes(5, new ProtoWriter().bytes(1, name).bytes(2, encodeAttribute(attribute)));
  return writer;
}

function encodeAttribute(attribute: Attribute): ProtoWriter {
  const writer = new ProtoWriter();
  if ('type' in attribute) return writer.varint(6, DTYPE[attribute.type]);
  if ('int' in attribute) return writer.varint(3, attribute.int);
  if ('float' in attribute) return writer.float(4, attribute.float);
  if ('bool' in attribute) return writer.varint(5, attribute.bool ? 1 : 0);
  if ('string' in attribute) return writer.bytes(2, attribute.string);
  if ('unknownRank' in attribute) return writer.bytes(7, new ProtoWriter().varint(3, 1));
  if ('shape' in attribute) return writer.bytes(7, encodeShape(attribute.shape));
  if ('ints' in attribute) {
    const list = new ProtoWriter();
    for (const value of attribute.ints) list.varint(3, value);
    return writer.bytes(1, list);
  }
  const { dtype, shape, content } = attribute.tensor;
  return writer.bytes(
    8,
    new ProtoWriter().varint(1, DTYPE[dtype]).bytes(2, encodeShape(shape)).bytes(4, content),
  );
}

function encodeShape(shape: readonly number[]): ProtoWriter {
  const writer = new ProtoWriter();
  for (const size of shape) writer.bytes(2, new ProtoWriter().varint(1, size));
  return writer;
}
