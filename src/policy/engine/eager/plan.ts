/**
 * A graph as a list of steps: nodes that only hand on an input are gone, and each step says which values nobody needs
 * after it. Loops are steps of their own, with the steps of their condition and of their body.
 */
import type { Graph, Loop, Node } from '../graph.js';

/** Nodes that hand on their first input. */
const PASSING = new Set(['Enter', 'NextIteration', 'LoopCond', 'Identity']);

export interface NodeStep {
  readonly node: Node;
  /** Names of values, one an input. */
  readonly inputs: readonly string[];
  /** Values of this list of steps that are needed no more. */
  readonly lets: string[];
}

export interface LoopStep {
  /** By variable: the name in a turn, its value before the first turn, its value after a turn, its name behind the loop. */
  readonly variables: readonly {
    readonly inside: string;
    readonly initial: string;
    readonly next: string;
    readonly exit: string;
  }[];
  readonly condition: readonly NodeStep[];
  /** The value that says whether there is another turn. */
  readonly goesOn: string;
  readonly body: readonly NodeStep[];
  readonly lets: string[];
}

export type Step = NodeStep | LoopStep;

export interface Plan {
  readonly steps: readonly Step[];
  readonly constants: readonly Node[];
  readonly placeholders: readonly string[];
  /** The value behind a tensor's name. */
  readonly of: (name: string) => string;
}

/** @param outputs names of tensors: what none of them needs is no part of the plan */
export function planOf(graph: Graph, outputs: readonly string[]): Plan {
  const aliases = new Map<string, string>();
  const of = (name: string): string => {
    let at = name.includes(':') ? name : `${name}:0`;
    for (let next = aliases.get(at); next !== undefined; next = aliases.get(at)) at = next;
    return at;
  };
  for (const { name, op, inputs } of graph.nodes) {
    const [first = ''] = inputs;
    const source = first.includes(':') ? first : `${first}:0`;
    if (PASSING.has(op)) aliases.set(`${name}:0`, source);
    // A variable's value in a turn that takes place.
    else if (op === 'Switch') aliases.set(`${name}:1`, source);
  }
  const stepOf = (node: Node): NodeStep => ({
    node,
    // What only has to run before stands earlier in the list as it is.
    inputs: node.inputs.filter((input) => !input.startsWith('^')).map(of),
    lets: [],
  });
  const isStep = ({ op }: Node): boolean =>
    !PASSING.has(op) && !['Const', 'Placeholder', 'Merge', 'Switch', 'Exit'].includes(op);
  const loops = new Map(graph.loops.map((loop) => [loop.begin, loop]));
  const needed = neededBy(outputs, graph);
  const steps: Step[] = [];
  for (let i = 0; i < graph.nodes.length;) {
    const loop = loops.get(i);
    const node = graph.nodes[i] as Node;
    if (!needed.has(node.name)) {
      // Nobody asks for it.
    } else if (loop !== undefined) steps.push(loopStep(graph, loop, of, stepOf, isStep));
    else if (isStep(node)) steps.push(stepOf(node));
    i = loop?.end ?? i + 1;
  }
  return {
    steps,
    // One that a loop's body was the first to name is used behind the loop, too.
    constants: graph.nodes.filter(({ name, op }) => op === 'Const' && needed.has(name)),
    placeholders: graph.nodes.filter(({ op }) => op === 'Placeholder').map(({ name }) => `${name}:0`),
    of,
  };
}

/** Names of the nodes that outputs come from, directly or not; of a loop all or none. */
function neededBy(outputs: readonly string[], { nodes, loops }: Graph): Set<string> {
  const nodeOf = (tensor: string): string => tensor.replace(/^\^/, '').replace(/:\d+$/, '');
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const within = loops.map(({ begin, end }) => nodes.slice(begin, end).map(({ name }) => name));
  const mates = new Map(within.flatMap((names) => names.map((name) => [name, names])));
  const needed = new Set<string>();
  const waiting = outputs.map(nodeOf);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    waiting.push(...(byName.get(name)?.inputs.map(nodeOf) ?? []), ...(mates.get(name) ?? []));
  }
  return needed;
}

/** The nodes of a loop stand in the order Enter, Merge, condition, LoopCond, Switch, body, NextIteration, Exit (graph.ts). */
function loopStep(
  graph: Graph,
  loop: Loop,
  of: Plan['of'],
  stepOf: (node: Node) => NodeStep,
  isStep: (node: Node) => boolean,
): LoopStep {
  const nodes = graph.nodes.slice(loop.begin, loop.end);
  const after = nodes.indexOf(loop.condition) + 1;
  const exits = nodes.filter(({ op }) => op === 'Exit');
  const variables = loop.merges.map(({ name, inputs: [initial = '', next = ''] }, i) => ({
    inside: `${name}:0`,
    initial: of(initial),
    next: of(next),
    exit: `${exits[i]?.name ?? ''}:0`,
  }));
  const body = nodes.slice(after).filter(isStep).map(stepOf);
  letGo(body, new Set(variables.map(({ next }) => next)));
  return {
    variables,
    condition: nodes.slice(0, after).filter(isStep).map(stepOf),
    goesOn: of(`${loop.condition.name}:0`),
    body,
    lets: [],
  };
}

/** What a constant holds. */
export function constantOf({ attributes: { value } }: Node): {
  readonly dtype: 'float' | 'int';
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
} {
  if (value === undefined || !('tensor' in value)) throw new Error('a constant has no value');
  const { dtype, shape, content } = value.tensor;
  const bytes = Uint8Array.from(content).buffer;
  return dtype === 'float'
    ? { dtype, shape, data: new Float32Array(bytes) }
    : { dtype: 'int', shape, data: new Int32Array(bytes) };
}

/** All that a step takes from outside itself. */
function usesOf(step: Step): readonly string[] {
  if ('node' in step) return step.inputs;
  const { variables, condition, body, goesOn } = step;
  return [
    ...variables.flatMap(({ initial, next }) => [initial, next]),
    ...[...condition, ...body].flatMap(({ inputs }) => inputs),
    goesOn,
  ];
}

const outputsOf = (step: Step): readonly string[] =>
  'node' in step
    ? Array.from({ length: step.node.outputs }, (_, i) => `${step.node.name}:${i}`)
    : step.variables.map(({ exit }) => exit);

/** Writes into each step which of the list's own values are last used there, or never; `kept` are let go of nowhere. */
export function letGo(steps: readonly Step[], kept: ReadonlySet<string>): void {
  const last = new Map<string, number>();
  steps.forEach((step, i) => {
    for (const name of outputsOf(step)) last.set(name, i);
    for (const name of usesOf(step)) if (last.has(name)) last.set(name, i);
  });
  for (const [name, i] of last) if (!kept.has(name)) steps[i]?.lets.push(name);
}
