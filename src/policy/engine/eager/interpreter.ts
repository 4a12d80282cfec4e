/**
 * Runs a graph step by step: the same results as the session's, without the session. Loops are run as they were built,
 * turn by turn.
 */
import * as tf from '@tensorflow/tfjs';
import type { Attribute, Graph, Node } from '../graph.js';
import { KERNELS, type Run } from './kernels.js';
import { onNumbers } from './on-numbers.js';
import { constantOf, letGo, planOf, type LoopStep, type NodeStep, type Plan } from './plan.js';
import { MOST_NUMBERS, Value, type Numbers } from './value.js';

/** Values by name; what is not here is looked for outside. */
class Values {
  readonly #own = new Map<string, Value>();
  readonly #outside: Values | undefined;

  constructor(outside?: Values) {
    this.#outside = outside;
  }

  find(name: string): Value {
    const value = this.#own.get(name) ?? this.#outside?.find(name);
    if (value === undefined) throw new Error(`${name} has no value`);
    return value;
  }

  has(name: string): boolean {
    return this.#own.has(name);
  }

  set(name: string, value: Value): void {
    this.#own.set(name, value);
  }

  letGo(names: Iterable<string>): void {
    for (const name of names) {
      this.#own.get(name)?.release();
      this.#own.delete(name);
    }
  }

  letGoOfAllBut(kept?: ReadonlySet<Value>): void {
    for (const value of this.#own.values()) if (kept?.has(value) !== true) value.release();
    this.#own.clear();
  }
}

export class Interpreter {
  readonly #plan: Plan;
  /** Made once. */
  readonly #constants = new Values();
  readonly #outputs: readonly string[];

  /** @param outputs names of tensors */
  constructor(graph: Graph, outputs: readonly string[]) {
    this.#plan = planOf(graph, outputs);
    this.#outputs = outputs.map(this.#plan.of);
    letGo(this.#plan.steps, new Set(this.#outputs));
    for (const node of this.#plan.constants) this.#constants.set(`${node.name}:0`, constant(node));
  }

  /**
   * @param given values by name of a placeholder, which stay the caller's
   * @returns the values of the outputs, in order, which the caller releases
   * @throws Error naming an operation without a kernel, a placeholder without a value, or what would have to be read
   */
  run(given: ReadonlyMap<string, Value>): Value[] {
    const inputs = new Values(this.#constants);
    for (const name of this.#plan.placeholders) {
      const value = given.get(name);
      if (value === undefined) throw new Error(`placeholder ${name} has no value`);
      inputs.set(name, value);
    }
    const values = new Values(inputs);
    const run: Run = { variables: new Map(), handles: 0 };
    try {
      // For what is left where a kernel throws.
      tf.engine().startScope('graph');
      for (const step of this.#plan.steps)
        if ('node' in step) evaluate(step, values, run);
        else runLoop(step, values, run);
      // Of their own: an output may be an input, or stand twice.
      return this.#outputs.map((name) => kept(values.find(name).clone()));
    } finally {
      tf.engine().endScope();
      values.letGoOfAllBut();
      for (const variable of run.variables.values()) variable.dispose();
    }
  }

  dispose(): void {
    this.#constants.letGoOfAllBut();
  }
}

/** Outlives the run's scope. */
function kept(value: Value): Value {
  if (value.numbers === undefined) tf.keep(value.tensor);
  return value;
}

function evaluate(step: NodeStep, values: Values, run: Run): void {
  const { node, inputs: names, lets } = step;
  const { name, op } = node;
  const inputs = names.map((input) => values.find(input));
  const attribute = (key: string): Attribute | undefined => node.attributes[key];
  const known = withoutDevice(op, inputs, attribute, run);
  if (known !== undefined) values.set(`${name}:0`, Value.ofNumbers(known));
  else {
    const kernel = KERNELS[op];
    if (kernel === undefined)
      throw new Error(`operation ${op} has no kernel in the public API's interpreter`);
    const results = tf.tidy(() => [kernel(inputs, attribute, run)].flat());
    results.forEach((tensor, i) => values.set(`${name}:${i}`, Value.ofTensor(tensor)));
  }
  values.letGo(lets);
}

function withoutDevice(
  op: string,
  inputs: readonly Value[],
  attribute: (key: string) => Attribute | undefined,
  run: Run,
): Numbers | undefined {
  if (op === 'VarHandleOp') return { dtype: 'int32', shape: [], data: [(run.handles += 1)] };
  if (op !== 'Shape')
    return onNumbers(
      op,
      inputs.map(({ numbers }) => numbers),
      attribute,
    );
  const shape = inputs[0]?.shape ?? [];
  return { dtype: 'int32', shape: [shape.length], data: shape };
}

/** A turn's values are let go of as they are done with; its variables, at the turn's end. */
function runLoop(step: LoopStep, outer: Values, run: Run): void {
  const { variables, condition, goesOn, body, lets } = step;
  let current = variables.map(({ initial }) => outer.find(initial).clone());
  for (;;) {
    const asked = new Values(outer);
    variables.forEach(({ inside }, i) => asked.set(inside, current[i] as Value));
    const turn = new Values(asked);
    for (const node of condition) evaluate(node, turn, run);
    if (turn.find(goesOn).read()[0] === 0) {
      turn.letGoOfAllBut();
      break;
    }
    for (const node of body) evaluate(node, turn, run);
    const taken = new Set<Value>();
    const next = variables.map(({ next: name }) => {
      const value = turn.find(name);
      // What is held elsewhere, too, needs an owner of its own.
      if (taken.has(value) || !(turn.has(name) || asked.has(name))) return value.clone();
      taken.add(value);
      return value;
    });
    for (const value of current) if (!taken.has(value)) value.release();
    turn.letGoOfAllBut(taken);
    current = next;
  }
  variables.forEach(({ exit }, i) => outer.set(exit, current[i] as Value));
  outer.letGo(lets);
}

function constant(node: Node): Value {
  const { shape, data, dtype } = constantOf(node);
  const type = dtype === 'float' ? 'float32' : 'int32';
  return data.length <= MOST_NUMBERS
    ? Value.ofNumbers({ dtype: type, shape, data: [...data] })
    : Value.ofTensor(tf.keep(tf.tensor(data, [...shape], type)));
}
