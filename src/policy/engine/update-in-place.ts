/**
 * A step of AdamW that writes into the tensors it is given: parameters and moments stay where they are in memory.
 *
 * New tensors for old ones would scatter a large model anew over what earlier steps left free, and TensorFlow's pool of
 * memory takes up to twice a tensor's size where it finds no better place (docs/LOG.md, 2026-11-28). Here only one block of
 * a parameter is in memory twice.
 *
 * A parameter is seen as [units, size / units]; a block is some of those rows.
 */
import { sizeOf } from '../shape.js';
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program, Scope } from './native.js';
import { Operations } from './operations.js';
import { adamScalars, steppedParameter, type Release } from './update-step.js';

/**
 * How a parameter with `rows` along its first axis is cut into blocks of at most `blockBytes`, but at least a row. A unit is
 * as many rows as divide them evenly: each unit of a block is written by itself.
 * @returns how many units there are, and how many of them make a block.
 */
export function blockPlan(rows: number, bytes: number, blockBytes: number): [units: number, block: number] {
  const most = Math.min(rows, Math.max(1, Math.floor((rows * blockBytes) / bytes)));
  let unit = most;
  while (rows % unit !== 0) unit -= 1;
  return [rows / unit, Math.floor(most / unit)];
}

export class StepInPlace {
  readonly #native: Native;
  readonly #blockBytes: number;
  /** By number of parameters: shapes are free. Built when first asked for. */
  readonly #programs = new Map<number, Program>();

  /** @param blockBytes of one parameter, in one call. */
  constructor(native: Native, blockBytes: number) {
    this.#native = native;
    this.#blockBytes = blockBytes;
  }

  /**
   * @param own parameters, first moments, second moments: as many of each as there are gradients. They are released.
   * @param gradients of several small parameters, or of one of any size.
   * @param settings as adamScalars takes them.
   * @returns own, stepped: new names of the same memory, held by `scope`.
   */
  run(
    own: readonly NativeTensor[],
    gradients: readonly NativeTensor[],
    settings: NativeTensor,
    scope: Scope,
    release: Release,
  ): readonly NativeTensor[] {
    const program = this.#programOf(gradients.length);
    const shape = gradients[0]?.shape ?? [];
    const [units, block] =
      gradients.length === 1 ? blockPlan(shape[0] ?? 1, 4 * sizeOf(shape), this.#blockBytes) : [1, 1];
    let held = own;
    for (let begin = 0; begin < units; begin += block) {
      const bounds = Int32Array.of(units, begin, Math.min(units, begin + block));
      const [vector] = scope.hold([this.#native.create(bounds, [3])] as const);
      const next = scope.hold(program.run([...held, ...gradients, settings, vector]));
      if (begin === 0) release.model?.(held);
      else scope.delete(held);
      scope.delete([vector]);
      held = next;
    }
    return held;
  }

  #programOf(count: number): Program {
    let program = this.#programs.get(count);
    if (program === undefined) this.#programs.set(count, (program = blockProgram(this.#native, count)));
    return program;
  }

  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
  }
}

/** Inputs: parameters, first moments, second moments, gradients, `count` each, settings, bounds; outputs: the first three. */
function blockProgram(native: Native, count: number): Program {
  const graph = new Graph();
  const o = new Operations(graph);
  const group = (): Tensor[] => Array.from({ length: count }, () => graph.placeholder('float'));
  const [parameters, first, second, gradients] = [group(), group(), group(), group()];
  const settings = graph.placeholder('float');
  const bounds = graph.placeholder('int');
  const scalars = adamScalars(o, settings);
  const [units, begin, end] = [0, 1, 2].map((i) => o.entry(bounds, i)) as [Tensor, Tensor, Tensor];
  const rows = o.rangeBetween(begin, end);
  const seen = (x: Tensor): Tensor => o.reshape(x, [units, -1]);
  const next = parameters.map((p, i) => {
    const whole = [p, first[i], second[i]] as [Tensor, Tensor, Tensor];
    const [own, m, v, g] = [...whole, gradients[i] as Tensor].map((x) =>
      o.sliceBetween(seen(x), 2, 0, begin, end),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const stepped = steppedParameter(o, { p: own, m, v, g }, scalars);
    return whole.map((x, k) => o.reshape(o.updateRows(seen(x), rows, stepped[k] as Tensor), o.shape(x))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
  });
  return native.compile(
    graph,
    [...parameters, ...first, ...second, ...gradients, settings, bounds],
    [0, 1, 2].flatMap((k) => next.map((tensors) => tensors[k] as Tensor)),
  );
}
