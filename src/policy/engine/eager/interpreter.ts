/**
 * Runs a graph node by node: the same step as the session's, without the session. Loops are run as they were built, turn
 * by turn.
 */
import * as tf from '@tensorflow/tfjs';
import type { Attribute, Graph, Loop, Node } from '../graph.js';
import { KERNELS } from './kernels.js';

type Values = Map<string, tf.Tensor>;

/** Nodes that hand on their first input. */
const PASSING = new Set(['Enter', 'NextIteration', 'LoopCond']);

/**
 * @param given values by name of a placeholder, which stay the caller's
 * @returns the values of `outputs`, in order, which the caller disposes of
 * @throws Error naming an operation without a kernel, or a placeholder without a value
 */
export function interpret(
  graph: Graph,
  given: ReadonlyMap<string, tf.Tensor>,
  outputs: readonly string[],
): tf.Tensor[] {
  return tf.tidy(() => {
    const values: Values = new Map();
    // Constants first: one that a loop's body was the first to name is used behind the loop, too.
    for (const node of graph.nodes) if (node.op === 'Const') values.set(`${node.name}:0`, constant(node));
    const loops = new Map(graph.loops.map((loop) => [loop.begin, loop]));
    for (let i = 0; i < graph.nodes.length;) {
      const loop = loops.get(i);
      if (loop === undefined) {
        evaluate(graph.nodes[i] as Node, values, given);
        i += 1;
      } else {
        runLoop(graph, loop, values, given);
        i = loop.end;
      }
    }
    // Copies: an output may be an input, or stand twice.
    return outputs.map((name) => tf.clone(valueOf(values, name)));
  });
}

function evaluate(node: Node, values: Values, given: ReadonlyMap<string, tf.Tensor>): void {
  const { name, op } = node;
  if (op === 'Const') return;
  const first = `${name}:0`;
  if (op === 'Placeholder') {
    const value = given.get(first);
    if (value === undefined) throw new Error(`placeholder ${first} has no value`);
    values.set(first, value);
    return;
  }
  // What only has to run before stands earlier in the list as it is.
  const inputs = node.inputs.filter((input) => !input.startsWith('^')).map((input) => valueOf(values, input));
  if (PASSING.has(op)) {
    values.set(first, inputs[0] as tf.Tensor);
    return;
  }
  const kernel = KERNELS[op];
  if (kernel === undefined) throw new Error(`operation ${op} has no kernel in the public API's interpreter`);
  const result = kernel(inputs, (key): Attribute | undefined => node.attributes[key]);
  const list = result instanceof tf.Tensor ? [result] : result;
  list.forEach((tensor, i) => values.set(`${name}:${i}`, tensor));
}

/**
 * The nodes of a loop stand in the order Enter, Merge, condition, LoopCond, Switch, body, NextIteration, Exit (graph.ts).
 * A turn's values are let go of at its end, but for the variables'.
 */
function runLoop(graph: Graph, loop: Loop, outer: Values, given: ReadonlyMap<string, tf.Tensor>): void {
  const nodes = graph.nodes.slice(loop.begin, loop.end);
  const after = nodes.indexOf(loop.condition) + 1;
  const asked = nodes.slice(0, after).filter(({ op }) => op !== 'Merge' && op !== 'Enter');
  const body = nodes.slice(after).filter(({ op }) => op !== 'Switch' && op !== 'Exit');
  const switches = nodes.filter(({ op }) => op === 'Switch');
  const exits = nodes.filter(({ op }) => op === 'Exit');
  // What the loop captured while its condition was built; what enters with the variables is among them.
  for (const node of nodes.slice(0, after)) if (node.op === 'Enter') evaluate(node, outer, given);
  let variables = loop.merges.map(({ inputs: [entered] }) => tf.clone(valueOf(outer, entered as string)));
  for (let goesOn = true; goesOn;) {
    variables = tf.tidy(() => {
      const values: Values = new Map(outer);
      loop.merges.forEach(({ name }, i) => values.set(`${name}:0`, variables[i] as tf.Tensor));
      for (const node of asked) evaluate(node, values, given);
      goesOn = valueOf(values, `${loop.condition.name}:0`).dataSync()[0] !== 0;
      if (!goesOn) return variables.map((variable) => tf.clone(variable));
      for (const { name, inputs } of switches) values.set(`${name}:1`, valueOf(values, inputs[0] as string));
      for (const node of body) evaluate(node, values, given);
      const next = loop.merges.map(({ inputs }) => tf.clone(valueOf(values, inputs[1] as string)));
      tf.dispose(variables);
      return next;
    });
  }
  exits.forEach(({ name }, i) => outer.set(`${name}:0`, variables[i] as tf.Tensor));
}

function valueOf(values: Values, name: string): tf.Tensor {
  const value = values.get(name.includes(':') ? name : `${name}:0`);
  if (value === undefined) throw new Error(`${name} has no value`);
  return value;
}

function constant({ attributes: { value } }: Node): tf.Tensor {
  if (value === undefined || !('tensor' in value)) throw new Error('a constant has no value');
  const { dtype, shape, content } = value.tensor;
  const bytes = Uint8Array.from(content).buffer;
  return dtype === 'float'
    ? tf.tensor(new Float32Array(bytes), [...shape], 'float32')
    : tf.tensor(new Int32Array(bytes), [...shape], 'int32');
}
