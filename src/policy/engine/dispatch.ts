/**
 * Runs graphs node by node with TensorFlow's own kernels, each called by script code ("eager").
 *
 * On a GPU: the session of TensorFlow.js takes its inputs and gives its outputs in host memory, so that weights and moments
 * would cross the bus at every step; here they stay on the device, and its kernels run while script code calls the next ones.
 * A value is let go of behind its last use, which is known before the graph first runs.
 *
 * As in the session, only what an output needs runs. Control inputs need no care: nodes stand in an order that satisfies them.
 */
import { DTYPE, type Attribute, type Graph, type Loop, type Node } from './graph.js';
import type { Binding } from './native.js';

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

/** The binding of TensorFlow.js, which runs single operations as well. */
export interface OperationBinding extends Binding {
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): Made[];
}

/** Nodes that hand on their first input. */
const PASSING = new Set(['Enter', 'NextIteration', 'LoopCond', 'Identity']);
/** Operations that give nothing; the graph names an output for them all the same. */
const WITHOUT_OUTPUT = new Set(['AssignVariableOp', 'ResourceApplyAdam', 'DestroyResourceOp']);

/** One thing to do; slots stand for values of a run. */
type Step =
  | { readonly do: 'pass'; readonly from: number; readonly to: number; readonly free: readonly number[] }
  | {
      readonly do: 'execute';
      readonly op: string;
      readonly attributes: readonly OperationAttribute[];
      readonly inputs: readonly number[];
      readonly outputs: readonly number[];
      readonly free: readonly number[];
    }
  | {
      readonly do: 'loop';
      readonly initial: readonly number[];
      readonly variables: readonly number[];
      readonly captures: readonly Step[];
      readonly asked: readonly Step[];
      readonly condition: number;
      readonly inside: readonly number[];
      readonly body: readonly Step[];
      readonly next: readonly number[];
      readonly exits: readonly number[];
      /** What a turn writes. */
      readonly turn: readonly number[];
      /** What the loop writes. */
      readonly own: readonly number[];
      readonly free: readonly number[];
    };

interface Plan {
  readonly steps: readonly Step[];
  readonly slots: ReadonlyMap<string, number>;
  /** Values that live as long as the graph. */
  readonly constants: ReadonlyMap<number, Made>;
}

export class DispatchBinding implements Binding {
  readonly #binding: OperationBinding;
  readonly #graphs = new Map<number, { readonly graph: Graph; plan?: Plan }>();
  #loaded = 0;

  constructor(binding: OperationBinding) {
    this.#binding = binding;
  }

  get TF_Version(): string {
    return this.#binding.TF_Version;
  }

  createTensor = (shape: readonly number[], dtype: number, data: Float32Array | Int32Array): number =>
    this.#binding.createTensor(shape, dtype, data);

  deleteTensor = (id: number): void => {
    this.#binding.deleteTensor(id);
  };

  tensorDataSync = (id: number): Float32Array | Int32Array | Uint8Array => this.#binding.tensorDataSync(id);

  isUsingGpuDevice = (): boolean => this.#binding.isUsingGpuDevice();

  /** Without what graphs hold for themselves. */
  getNumOfTensors(): number {
    let constants = 0;
    for (const { plan } of this.#graphs.values()) constants += plan?.constants.size ?? 0;
    return this.#binding.getNumOfTensors() - constants;
  }

  loadSavedModel(): number {
    throw new Error('graphs are taken as they are');
  }

  loadGraph(graph: Graph): number {
    this.#loaded += 1;
    this.#graphs.set(this.#loaded, { graph });
    return this.#loaded;
  }

  deleteSavedModel(id: number): void {
    for (const constant of this.#graphs.get(id)?.plan?.constants.values() ?? [])
      this.#binding.deleteTensor(constant.id);
    this.#graphs.delete(id);
  }

  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): Made[] {
    const loaded = this.#graphs.get(id);
    if (loaded === undefined) throw new Error(`graph ${id} does not exist`);
    const [given, asked] = [inputNames.split(','), outputNames.split(',')];
    // A program asks for the same of its graph at every run.
    loaded.plan ??= new Planner(loaded.graph, `g${id}`, this.#binding).plan(given, asked);
    return run(this.#binding, loaded.plan, inputs, given, asked);
  }
}

/** Names of the nodes that outputs come from, directly or not; of a loop all or none. */
function neededBy(outputs: readonly string[], { nodes, loops }: Graph): Set<string> {
  const nodeOf = (tensor: string): string => tensor.replace(/^\^/, '').replace(/:\d+$/, '');
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const loopOf = new Map(
    loops.flatMap((loop) => nodes.slice(loop.begin, loop.end).map(({ name }) => [name, loop])),
  );
  const needed = new Set<string>();
  const waiting = outputs.map(nodeOf);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    waiting.push(...(byName.get(name)?.inputs.map(nodeOf) ?? []));
    const loop = loopOf.get(name);
    if (loop !== undefined) waiting.push(...nodes.slice(loop.begin, loop.end).map((node) => node.name));
  }
  return needed;
}

/** Turns a graph into steps, once for its inputs and outputs. */
class Planner {
  readonly #graph: Graph;
  readonly #prefix: string;
  readonly #binding: OperationBinding;
  readonly #slots = new Map<string, number>();
  readonly #constants = new Map<number, Made>();

  constructor(graph: Graph, prefix: string, binding: OperationBinding) {
    this.#graph = graph;
    this.#prefix = prefix;
    this.#binding = binding;
  }

  plan(inputs: readonly string[], outputs: readonly string[]): Plan {
    for (const name of inputs) this.#slot(name);
    const steps: Step[] = [];
    const loops = new Map(this.#graph.loops.map((loop) => [loop.begin, loop]));
    const { nodes } = this.#graph;
    const needed = neededBy(outputs, this.#graph);
    for (let i = 0; i < nodes.length;) {
      const loop = loops.get(i);
      if (loop === undefined) {
        const node = nodes[i] as Node;
        const step = needed.has(node.name) ? this.#step(node) : undefined;
        if (step !== undefined) steps.push(step);
        i += 1;
      } else {
        if (needed.has(loop.condition.name)) steps.push(this.#loop(nodes.slice(loop.begin, loop.end), loop));
        i = loop.end;
      }
    }
    const kept = new Set([...inputs, ...outputs].map((name) => this.#slot(name)));
    return {
      steps: freeing(steps, (slot) => !kept.has(slot) && !this.#constants.has(slot)),
      slots: this.#slots,
      constants: this.#constants,
    };
  }

  #slot(name: string): number {
    const key = name.includes(':') ? name : `${name}:0`;
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    this.#slots.set(key, this.#slots.size);
    return this.#slots.size - 1;
  }

  #step(node: Node): Step | undefined {
    const { name, op } = node;
    const first = `${name}:0`;
    if (op === 'Placeholder') return undefined;
    if (op === 'Const') {
      this.#constants.set(this.#slot(first), this.#constant(node));
      return undefined;
    }
    // What only has to run before stands earlier in the list as it is.
    const inputs = node.inputs.filter((input) => !input.startsWith('^')).map((input) => this.#slot(input));
    if (PASSING.has(op)) return { do: 'pass', from: inputs[0] as number, to: this.#slot(first), free: [] };
    const attributes = Object.entries(node.attributes).map(([key, value]) =>
      key === 'shared_name'
        ? // The session has variables of its own; here all graphs share one place for them.
          { name: key, type: ATTRIBUTE.string, value: `${this.#prefix}.${name}` }
        : attributeOf(key, value),
    );
    const count = WITHOUT_OUTPUT.has(op) ? 0 : node.outputs;
    const outputs = Array.from({ length: count }, (_, i) => this.#slot(`${name}:${i}`));
    return { do: 'execute', op, attributes, inputs, outputs, free: [] };
  }

  #constant({ attributes: { value } }: Node): Made {
    if (value === undefined || !('tensor' in value)) throw new Error('a constant has no value');
    const { dtype, shape, content } = value.tensor;
    const bytes = Uint8Array.from(content).buffer;
    const data = dtype === 'float' ? new Float32Array(bytes) : new Int32Array(bytes);
    return { id: this.#binding.createTensor(shape, DTYPE[dtype], data), shape };
  }

  /** Its nodes stand in the order Enter, Merge, condition, LoopCond, Switch, body, NextIteration, Exit (graph.ts). */
  #loop(nodes: readonly Node[], loop: Loop): Step {
    const after = nodes.indexOf(loop.condition) + 1;
    const steps = (some: readonly Node[]): Step[] =>
      some.map((node) => this.#step(node)).filter((step) => step !== undefined);
    const isOf =
      (...ops: readonly string[]) =>
      ({ op }: Node) =>
        ops.includes(op);
    const without = (some: readonly Node[], ...ops: readonly string[]): Node[] =>
      some.filter(({ op }) => !ops.includes(op));
    const step = {
      do: 'loop' as const,
      initial: loop.merges.map(({ inputs }) => this.#slot(inputs[0] as string)),
      variables: loop.merges.map(({ name }) => this.#slot(name)),
      captures: steps(nodes.filter(isOf('Enter'))),
      asked: steps(without(nodes.slice(0, after), 'Merge', 'Enter')),
      condition: this.#slot(loop.condition.name),
      inside: nodes.filter(isOf('Switch')).map(({ name }) => this.#slot(`${name}:1`)),
      body: steps(without(nodes.slice(after), 'Switch', 'Exit', 'Enter')),
      next: loop.merges.map(({ inputs }) => this.#slot(inputs[1] as string)),
      exits: nodes.filter(isOf('Exit')).map(({ name }) => this.#slot(name)),
      turn: [],
      own: [],
      free: [],
    };
    const turn = [...step.inside, ...[...step.asked, ...step.body].flatMap(writesOf)];
    return { ...step, turn, own: ownOf(step) };
  }
}

function attributeOf(name: string, attribute: Attribute): OperationAttribute {
  if ('type' in attribute) return { name, type: ATTRIBUTE.type, value: DTYPE[attribute.type] };
  if ('int' in attribute) return { name, type: ATTRIBUTE.int, value: attribute.int };
  if ('ints' in attribute) return { name, type: ATTRIBUTE.int, value: attribute.ints };
  if ('float' in attribute) return { name, type: ATTRIBUTE.float, value: attribute.float };
  if ('bool' in attribute) return { name, type: ATTRIBUTE.bool, value: attribute.bool };
  if ('string' in attribute) return { name, type: ATTRIBUTE.string, value: attribute.string };
  // The binding cannot say that a rank is unknown; of a variable nobody checks the shape.
  if ('unknownRank' in attribute) return { name, type: ATTRIBUTE.shape, value: [] };
  if ('shape' in attribute) return { name, type: ATTRIBUTE.shape, value: attribute.shape };
  throw new Error(`attribute ${name} is a tensor, which only constants have`);
}

/** What is written within a loop, and let go of by it. */
const ownOf = (step: Step): readonly number[] =>
  step.do === 'loop'
    ? [
        ...step.variables,
        ...step.inside,
        ...[...step.captures, ...step.asked, ...step.body].flatMap(writesOf),
      ]
    : [];

const readsOf = (step: Step): readonly number[] => {
  if (step.do === 'pass') return [step.from];
  if (step.do === 'execute') return step.inputs;
  const own = new Set(ownOf(step));
  const inner = [...step.captures, ...step.asked, ...step.body].flatMap(readsOf);
  return [...step.initial, ...inner].filter((slot) => !own.has(slot));
};

const writesOf = (step: Step): readonly number[] => {
  if (step.do === 'pass') return [step.to];
  return step.do === 'execute' ? step.outputs : step.exits;
};

/** The same steps, each with those of the `free` slots that nothing behind it reads. */
function freeing(steps: readonly Step[], free: (slot: number) => boolean): Step[] {
  const later = new Set<number>();
  const freed = steps.toReversed().map((step): Step => {
    const touched = new Set([...readsOf(step), ...writesOf(step)]);
    const last = [...touched].filter((slot) => free(slot) && !later.has(slot));
    for (const slot of touched) later.add(slot);
    if (step.do !== 'loop') return { ...step, free: last };
    const ofTurn = new Set([...step.inside, ...step.body.flatMap(writesOf)]);
    const next = new Set(step.next);
    return { ...step, free: last, body: freeing(step.body, (slot) => ofTurn.has(slot) && !next.has(slot)) };
  });
  return freed.reverse();
}

/** Values by slot, with how often each is held: passing on shares one. */
class Values {
  readonly #binding: OperationBinding;
  readonly #bySlot = new Map<number, Made>();
  readonly #holders = new Map<number, number>();

  constructor(binding: OperationBinding) {
    this.#binding = binding;
  }

  get(slot: number): Made {
    const value = this.#bySlot.get(slot);
    if (value === undefined) throw new Error(`slot ${slot} has no value`);
    return value;
  }

  set(slot: number, value: Made): void {
    this.#holders.set(value.id, (this.#holders.get(value.id) ?? 0) + 1);
    this.free(slot);
    this.#bySlot.set(slot, value);
  }

  /** A value that is someone else's: never deleted here. */
  lend(slot: number, value: Made): void {
    this.set(slot, value);
    this.#holders.set(value.id, Number.POSITIVE_INFINITY);
  }

  free(slot: number): void {
    const value = this.#bySlot.get(slot);
    if (value === undefined) return;
    this.#bySlot.delete(slot);
    const left = (this.#holders.get(value.id) ?? 0) - 1;
    this.#holders.set(value.id, left);
    if (left > 0) return;
    this.#holders.delete(value.id);
    this.#binding.deleteTensor(value.id);
  }

  /** Where the slot is the only holder of its value, that becomes the caller's. */
  release(slot: number): Made | undefined {
    const value = this.get(slot);
    if (this.#holders.get(value.id) !== 1) return undefined;
    this.#bySlot.delete(slot);
    this.#holders.delete(value.id);
    return value;
  }

  clear(): void {
    for (const slot of [...this.#bySlot.keys()]) this.free(slot);
  }
}

function run(
  binding: OperationBinding,
  plan: Plan,
  inputs: readonly number[],
  inputNames: readonly string[],
  outputNames: readonly string[],
): Made[] {
  const values = new Values(binding);
  const made: Made[] = [];
  try {
    for (const [slot, constant] of plan.constants) values.lend(slot, constant);
    inputs.forEach((id, i) => values.lend(plan.slots.get(inputNames[i] ?? '') ?? -1, { id, shape: [] }));
    take(binding, plan.steps, values);
    for (const [i, name] of outputNames.entries()) {
      const slot = plan.slots.get(name) ?? -1;
      const value = outputNames.includes(name, i + 1) ? undefined : values.release(slot);
      // Another handle where it is an input, a constant, or stands twice. The data is shared.
      made.push(
        ...(value === undefined ? binding.executeOp('Identity', [], [values.get(slot).id], 1) : [value]),
      );
    }
    return made;
  } catch (error) {
    for (const { id } of made) binding.deleteTensor(id);
    throw error;
  } finally {
    values.clear();
  }
}

function take(binding: OperationBinding, steps: readonly Step[], values: Values): void {
  for (const step of steps) {
    if (step.do === 'pass') values.set(step.to, values.get(step.from));
    else if (step.do === 'execute') {
      const inputs = step.inputs.map((slot) => values.get(slot).id);
      const made = binding.executeOp(step.op, step.attributes, inputs, step.outputs.length);
      step.outputs.forEach((slot, i) => values.set(slot, made[i] as Made));
    } else takeLoop(binding, step, values);
    for (const slot of step.free) values.free(slot);
  }
}

function takeLoop(binding: OperationBinding, loop: Step & { do: 'loop' }, values: Values): void {
  take(binding, loop.captures, values);
  loop.variables.forEach((slot, i) => values.set(slot, values.get(loop.initial[i] as number)));
  for (const slot of loop.initial) values.free(slot);
  for (;;) {
    take(binding, loop.asked, values);
    if (binding.tensorDataSync(values.get(loop.condition).id)[0] === 0) break;
    loop.inside.forEach((slot, i) => values.set(slot, values.get(loop.variables[i] as number)));
    for (const slot of loop.variables) values.free(slot);
    take(binding, loop.body, values);
    loop.variables.forEach((slot, i) => values.set(slot, values.get(loop.next[i] as number)));
    for (const slot of loop.turn) values.free(slot);
  }
  loop.exits.forEach((slot, i) => values.set(slot, values.get(loop.variables[i] as number)));
  for (const slot of loop.own) values.free(slot);
}
