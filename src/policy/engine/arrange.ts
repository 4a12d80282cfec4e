/**
 * Which rows and prompts a running batch has, and how much room: rows leave, caches grow, batches are joined. Each copies
 * the caches, so decoding itself never does.
 */
import type { ModelSpec } from '../port.js';
import type { Cache, DecodeState } from './decode.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import { attentionShape } from './parameters.js';

function statePlaceholders(graph: Graph, layers: number): DecodeState<Tensor> {
  const cache = (): Tensor[] => Array.from({ length: 2 * layers }, () => graph.placeholder('float'));
  return {
    logits: graph.placeholder('float'),
    states: graph.placeholder('int'),
    promptCache: cache(),
    ownCache: cache(),
  };
}

/** In the order of statePlaceholders. */
export function tensorsOf<T>({ logits, states, promptCache, ownCache }: DecodeState<T>): T[] {
  return [logits, states, ...promptCache, ...ownCache];
}

function stateOf(tensors: readonly NativeTensor[], layers: number): DecodeState<NativeTensor> {
  const [logits, states, ...caches] = tensors;
  if (logits === undefined || states === undefined) throw new Error('the arrangement gave nothing');
  const ownCache: Cache<NativeTensor> = caches.splice(2 * layers);
  return { logits, states, promptCache: caches, ownCache };
}

export interface Arrangement {
  /** Prompts that stay, [u], and rows that stay, [b]: places in the state before. */
  readonly promptIndex: readonly number[];
  readonly rowIndex: readonly number[];
  /** Positions to add behind. */
  readonly promptRoom: number;
  readonly ownRoom: number;
}

export class ArrangeProgram {
  readonly #program: Program;
  readonly #layers: number;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    const { headWidth: w, keyValueHeads } = attentionShape(spec);
    this.#layers = spec.layers;
    const before = statePlaceholders(graph, spec.layers);
    const [promptIndex, rowIndex, room] = Array.from({ length: 3 }, () => graph.placeholder('int')) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const [u, b] = [o.size(promptIndex, 0), o.size(rowIndex, 0)];
    const widened = (part: Tensor, rows: Tensor, positions: Tensor): Tensor =>
      o.concat([part, o.fill(o.sizes([rows, keyValueHeads, positions, w]), graph.scalar(0))], 2);
    const own = o.floorDiv(
      o.size(before.ownCache[0] as Tensor, 0),
      o.mul(o.size(before.logits, 0), graph.int(keyValueHeads)),
    );
    this.#program = native.compile(
      graph,
      [...tensorsOf(before), promptIndex, rowIndex, room],
      [
        o.gather(before.logits, rowIndex),
        o.gather(before.states, rowIndex),
        ...before.promptCache.map((part) => widened(o.gather(part, promptIndex), u, o.entry(room, 0))),
        ...before.ownCache.map((part) => {
          const shaped = o.reshape(part, [o.size(before.logits, 0), keyValueHeads, own, w]);
          return o.reshape(widened(o.gather(shaped, rowIndex), b, o.entry(room, 1)), [-1, w]);
        }),
      ],
    );
  }

  /** The caller deletes both states. */
  run(
    native: Native,
    state: DecodeState<NativeTensor>,
    { promptIndex, rowIndex, promptRoom, ownRoom }: Arrangement,
  ): DecodeState<NativeTensor> {
    const inputs = [promptIndex, rowIndex, [promptRoom, ownRoom]].map((values) =>
      native.create(Int32Array.from(values), [values.length]),
    );
    try {
      return stateOf(this.#program.run([...tensorsOf(state), ...inputs]), this.#layers);
    } finally {
      native.delete(...inputs);
    }
  }

  dispose(): void {
    this.#program.dispose();
  }
}

/** Two states of equal g, p and t as one. */
export class JoinProgram {
  readonly #program: Program;
  readonly #layers: number;

  constructor(native: Native, spec: ModelSpec) {
    const graph = new Graph();
    const o = new Operations(graph);
    this.#layers = spec.layers;
    const [first, second] = [
      statePlaceholders(graph, spec.layers),
      statePlaceholders(graph, spec.layers),
    ].map(tensorsOf) as [Tensor[], Tensor[]];
    this.#program = native.compile(
      graph,
      [...first, ...second],
      first.map((part, i) => o.concat([part, second[i] as Tensor], 0)),
    );
  }

  /** The caller deletes all three states. */
  run(first: DecodeState<NativeTensor>, second: DecodeState<NativeTensor>): DecodeState<NativeTensor> {
    return stateOf(this.#program.run([...tensorsOf(first), ...tensorsOf(second)]), this.#layers);
  }

  dispose(): void {
    this.#program.dispose();
  }
}
