/**
 * Runs graphs node by node with TensorFlow's own kernels, each called by script code ("eager").
 *
 * On a CUDA device: the session of TensorFlow.js takes its inputs and gives its outputs in host memory, so that weights and
 * moments would cross the bus at every step; here they stay on the device, whose kernels run while script code calls the next
 * ones. As in the session, only what an output needs runs, and a value is let go of behind its last use.
 */
import { constantOf, letGo, planOf, type LoopStep, type NodeStep, type Plan } from './plan.js';
import { DTYPE, type Attribute, type Graph, type Node } from '../graph.js';
import type { Addon, Binding, TensorData } from '../native.js';

/** Types of attributes (TF_AttrType in c_api.h). */
const ATTRIBUTE = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const;

interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

interface Made {
  readonly id: number;
  readonly shape: readonly number[];
}

/** The addon runs single operations as well. */
export interface OperationAddon extends Addon {
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): Made[];
}

/** Operations that give nothing; the graph names an output for them all the same. */
const WITHOUT_OUTPUT = new Set(['AssignVariableOp', 'ResourceApplyAdam', 'DestroyResourceOp']);

export class DispatchBinding implements Binding {
  readonly #addon: OperationAddon;
  readonly #reason: string | undefined;
  readonly #graphs = new Map<number, { readonly graph: Graph; dispatcher?: Dispatcher }>();
  #loaded = 0;

  constructor(addon: OperationAddon, reason?: string) {
    this.#addon = addon;
    this.#reason = reason;
  }

  get TF_Version(): string {
    return this.#addon.TF_Version;
  }

  describe(): { reason?: string } {
    return this.#reason === undefined ? {} : { reason: this.#reason };
  }

  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number {
    return this.#addon.createTensor(shape, dtype, data);
  }

  deleteTensor(id: number): void {
    this.#addon.deleteTensor(id);
  }

  tensorData(id: number): TensorData {
    return this.#addon.tensorDataSync(id);
  }

  isUsingGpuDevice(): boolean {
    return this.#addon.isUsingGpuDevice();
  }

  /** Without what graphs hold for themselves. */
  getNumOfTensors(): number {
    let constants = 0;
    for (const { dispatcher } of this.#graphs.values()) constants += dispatcher?.constants ?? 0;
    return this.#addon.getNumOfTensors() - constants;
  }

  loadGraph(graph: Graph): number {
    this.#loaded += 1;
    this.#graphs.set(this.#loaded, { graph });
    return this.#loaded;
  }

  loadSavedModel(): number {
    throw new Error('graphs are taken as they are');
  }

  deleteSavedModel(id: number): void {
    this.#graphs.get(id)?.dispatcher?.dispose();
    this.#graphs.delete(id);
  }

  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): Made[] {
    const held = this.#graphs.get(id);
    if (held === undefined) throw new Error(`graph ${id} does not exist`);
    // A graph has one set of outputs: the program's.
    held.dispatcher ??= new Dispatcher(this.#addon, held.graph, `g${id}`, outputNames.split(','));
    const names = inputNames.split(',');
    return held.dispatcher.run(new Map(inputs.map((tensor, i) => [names[i] ?? '', tensor])));
  }
}

/** Ids of tensors by name; what is not here is looked for outside. */
class Values {
  readonly #addon: OperationAddon;
  readonly #own = new Map<string, number>();
  readonly #outside: ((name: string) => number | undefined) | undefined;

  constructor(addon: OperationAddon, outside?: (name: string) => number | undefined) {
    this.#addon = addon;
    this.#outside = outside;
  }

  readonly look = (name: string): number | undefined => this.#own.get(name) ?? this.#outside?.(name);

  find(name: string): number {
    const id = this.look(name);
    if (id === undefined) throw new Error(`${name} has no value`);
    return id;
  }

  set(name: string, id: number): void {
    this.#own.set(name, id);
  }

  /** Its owner is whoever asked from here on; undefined where it stands elsewhere. */
  take(name: string): number | undefined {
    const id = this.#own.get(name);
    this.#own.delete(name);
    return id;
  }

  letGo(names: Iterable<string>): void {
    for (const name of names) {
      const id = this.take(name);
      if (id !== undefined) this.#addon.deleteTensor(id);
    }
  }

  letGoOfAll(): void {
    this.letGo([...this.#own.keys()]);
  }
}

class Dispatcher {
  readonly #addon: OperationAddon;
  readonly #prefix: string;
  readonly #plan: Plan;
  readonly #outputs: readonly string[];
  /** Made once. */
  readonly #constants = new Map<string, number>();
  readonly #attributes = new Map<Node, readonly OperationAttribute[]>();

  constructor(addon: OperationAddon, graph: Graph, prefix: string, outputs: readonly string[]) {
    this.#addon = addon;
    this.#prefix = prefix;
    this.#plan = planOf(graph, outputs);
    this.#outputs = outputs.map(this.#plan.of);
    letGo(this.#plan.steps, new Set(this.#outputs));
    for (const node of this.#plan.constants) this.#constants.set(`${node.name}:0`, this.#constant(node));
  }

  get constants(): number {
    return this.#constants.size;
  }

  /** @param given ids by name of a placeholder, which stay the caller's. @returns tensors that the caller deletes. */
  run(given: ReadonlyMap<string, number>): Made[] {
    const values = new Values(this.#addon, (name) => given.get(name) ?? this.#constants.get(name));
    const made: Made[] = [];
    try {
      for (const step of this.#plan.steps)
        if ('node' in step) this.#execute(step, values);
        else this.#loop(step, values);
      // Handles of their own: an output may be an input, or stand twice. The data is shared.
      for (const name of this.#outputs) made.push(this.#handle(values.find(name)));
      return made;
    } catch (error) {
      for (const { id } of made) this.#addon.deleteTensor(id);
      throw error;
    } finally {
      values.letGoOfAll();
    }
  }

  dispose(): void {
    for (const id of this.#constants.values()) this.#addon.deleteTensor(id);
    this.#constants.clear();
  }

  #execute({ node, inputs, lets }: NodeStep, values: Values): void {
    const { name, op } = node;
    let attributes = this.#attributes.get(node);
    if (attributes === undefined) this.#attributes.set(node, (attributes = this.#attributesOf(node)));
    const ids = inputs.map((input) => values.find(input));
    const made = this.#addon.executeOp(op, attributes, ids, WITHOUT_OUTPUT.has(op) ? 0 : node.outputs);
    made.forEach(({ id }, i) => values.set(`${name}:${i}`, id));
    values.letGo(lets);
  }

  #loop({ variables, condition, goesOn, body, lets }: LoopStep, outer: Values): void {
    const current = new Values(this.#addon, outer.look);
    for (const { inside, initial } of variables) current.set(inside, this.#handle(outer.find(initial)).id);
    for (;;) {
      const turn = new Values(this.#addon, current.look);
      try {
        for (const step of condition) this.#execute(step, turn);
        if (this.#addon.tensorDataSync(turn.find(goesOn))[0] === 0) break;
        for (const step of body) this.#execute(step, turn);
        // What is held elsewhere, too, needs a handle of its own.
        const next = variables.map(({ next: name }) => turn.take(name) ?? this.#handle(turn.find(name)).id);
        current.letGoOfAll();
        variables.forEach(({ inside }, i) => current.set(inside, next[i] as number));
      } finally {
        turn.letGoOfAll();
      }
    }
    for (const { inside, exit } of variables) outer.set(exit, current.take(inside) as number);
    outer.letGo(lets);
  }

  #handle(id: number): Made {
    return this.#addon.executeOp('Identity', [], [id], 1)[0] as Made;
  }

  #constant(node: Node): number {
    const { dtype, shape, data } = constantOf(node);
    return this.#addon.createTensor(shape, DTYPE[dtype], data);
  }

  #attributesOf(node: Node): OperationAttribute[] {
    return Object.entries(node.attributes).map(([name, value]) =>
      // The session has variables of its own; here all graphs share one place for them.
      name === 'shared_name'
        ? { name, type: ATTRIBUTE.string, value: `${this.#prefix}.${node.name}` }
        : attributeOf(name, value),
    );
  }
}

function attributeOf(name: string, attribute: Attribute): OperationAttribute {
  if ('type' in attribute) return { name, type: ATTRIBUTE.type, value: DTYPE[attribute.type] };
  if ('int' in attribute) return { name, type: ATTRIBUTE.int, value: attribute.int };
  if ('ints' in attribute) return { name, type: ATTRIBUTE.int, value: attribute.ints };
  if ('float' in attribute) return { name, type: ATTRIBUTE.float, value: attribute.float };
  if ('bool' in attribute) return { name, type: ATTRIBUTE.bool, value: attribute.bool };
  if ('string' in attribute) return { name, type: ATTRIBUTE.string, value: attribute.string };
  // The addon cannot say that a rank is unknown; of a variable nobody checks the shape.
  if ('unknownRank' in attribute) return { name, type: ATTRIBUTE.shape, value: [] };
  if ('shape' in attribute) return { name, type: ATTRIBUTE.shape, value: attribute.shape };
  throw new Error(`attribute ${name} is a tensor, which only constants have`);
}
