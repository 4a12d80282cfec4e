/**
 * AdamW with decoupled decay (Loshchilov and Hutter 2019), as PyTorch computes it, after clipping by global norm:
 *
 *   g = g * min(1, maxNorm / (|g| + 1e-6));  p = p (1 - lr * decay)
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   p = p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
 *     = p - lr c / (1 - b1^t) * m / (sqrt(v) + epsilon c),  c = sqrt(1 - b2^t)
 *
 * The last form is one operation's, which goes over memory once (Operations.adam).
 *
 * The norm comes first, over all gradients. Then parameters are stepped in groups of bounded size. A large model that the
 * caller has done with is stepped in place where it lies in host memory; else the results are new tensors.
 */
import type { LearnConfig, ModelSpec } from '../port.js';
import { sizeOf } from '../shape.js';
import { Graph, type Tensor } from './graph.js';
import { trainedShapes } from './lora.js';
import type { ModelTensors } from './model.js';
import { Scope, type Native, type NativeTensor, type Program } from './native.js';
import { Operations } from './operations.js';
import { StepInPlace } from './update-in-place.js';
import { adamScalars, steppedParameter, type Release } from './update-step.js';

export interface UpdateBytes {
  /** Of parameters that are stepped into new tensors in one call; a larger model is stepped in place where it may be. */
  readonly group: number;
  /** Of parameters that are stepped in place in one call. What a call needs for a while should lie in a core's caches. */
  readonly block: number;
}

/** Blocks of 1 to 2 MiB cost 0.9 times what new tensors do, of 8 MiB 1.3 times (docs/LOG.md, 2026-11-28). */
const BYTES: UpdateBytes = { group: 64 * 2 ** 20, block: 2 * 2 ** 20 };

export type AdamSettings = Pick<
  LearnConfig,
  'learningRate' | 'betas' | 'epsilon' | 'weightDecay' | 'maxGradNorm'
>;

/** Consecutive runs of at most `bytes` each, as [begin, end). */
export function groupsOf(sizes: readonly number[], bytes: number): [number, number][] {
  const groups: [number, number][] = [];
  let filled = 0;
  sizes.forEach((size, i) => {
    const last = groups.at(-1);
    if (last === undefined || filled + size > bytes) {
      groups.push([i, i + 1]);
      filled = size;
    } else {
      last[1] = i + 1;
      filled += size;
    }
  });
  return groups;
}

export class Update {
  readonly #native: Native;
  readonly #groups: readonly (readonly [number, number])[];
  readonly #blocks: readonly (readonly [number, number])[];
  readonly #norm: Program;
  /** By number of parameters: shapes are free. Built when first asked for. */
  readonly #steps = new Map<number, Program>();
  readonly #inPlace: StepInPlace;

  constructor(native: Native, spec: ModelSpec, bytes = BYTES) {
    this.#native = native;
    const sizes = trainedShapes(spec).map(({ shape }) => 4 * sizeOf(shape));
    this.#groups = groupsOf(sizes, bytes.group);
    this.#blocks = groupsOf(sizes, bytes.block);
    this.#norm = normProgram(native, sizes.length);
    this.#inPlace = new StepInPlace(native, bytes.block);
  }

  /** The global norm of gradients in the order of trainedShapes. */
  async norm(gradients: readonly NativeTensor[]): Promise<number> {
    const [norm] = this.#norm.run(gradients) as [NativeTensor];
    try {
      return (await this.#native.read(norm))[0] ?? Number.NaN;
    } finally {
      this.#native.delete(norm);
    }
  }

  /**
   * @param norm of the gradients.
   * @param step number of this step, from 1: the moments' bias correction.
   * @returns the caller's, under new names; frozen ones are the model's.
   */
  run(
    model: ModelTensors,
    gradients: readonly NativeTensor[],
    norm: number,
    settings: AdamSettings,
    step: number,
    release: Release,
  ): ModelTensors {
    using scope = new Scope(this.#native);
    const [b1, b2] = settings.betas;
    const { learningRate, epsilon, weightDecay, maxGradNorm } = settings;
    const correction = Math.sqrt(1 - b2 ** step);
    // As adamScalars takes them.
    const values = Float32Array.of(
      (learningRate * correction) / (1 - b1 ** step),
      b1,
      b2,
      epsilon * correction,
      1 - learningRate * weightDecay,
      maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1,
    );
    const [vector] = scope.hold([this.#native.create(values, [values.length])] as const);
    const inPlace = release.model !== undefined && this.#groups.length > 1 && this.#native.inHostMemory;
    const made = (inPlace ? this.#blocks : this.#groups).map(([begin, end]) => {
      const own = [model.parameters, model.first, model.second].flatMap((list) => list.slice(begin, end));
      const taken = gradients.slice(begin, end);
      let outputs: readonly NativeTensor[];
      if (inPlace) {
        outputs = this.#inPlace.run(own, taken, vector, scope, release);
      } else {
        outputs = scope.hold(this.#stepOf(taken.length).run([...own, ...taken, vector]));
        release.model?.(own);
      }
      release.gradients(taken);
      return outputs;
    });
    const part = (which: number): NativeTensor[] =>
      made.flatMap((outputs) => {
        const n = outputs.length / 3;
        return scope.release(outputs.slice(which * n, (which + 1) * n));
      });
    return { ...model, parameters: part(0), first: part(1), second: part(2) };
  }

  #stepOf(count: number): Program {
    let program = this.#steps.get(count);
    if (program === undefined) this.#steps.set(count, (program = stepProgram(this.#native, count)));
    return program;
  }

  dispose(): void {
    this.#norm.dispose();
    for (const program of this.#steps.values()) program.dispose();
    this.#inPlace.dispose();
  }
}

function normProgram(native: Native, count: number): Program {
  const graph = new Graph();
  const o = new Operations(graph);
  const gradients = Array.from({ length: count }, () => graph.placeholder('float'));
  // L2Loss is half the sum of squares.
  const norm = o.sqrt(o.mul(graph.scalar(2), o.addN(gradients.map((x) => o.l2Loss(x)))));
  return native.compile(graph, gradients, [norm]);
}

/** Inputs: parameters, first moments, second moments, gradients, `count` each, and the settings; outputs: the first three. */
function stepProgram(native: Native, count: number): Program {
  const graph = new Graph();
  const o = new Operations(graph);
  const group = (): Tensor[] => Array.from({ length: count }, () => graph.placeholder('float'));
  const [parameters, first, second, gradients] = [group(), group(), group(), group()];
  const settings = graph.placeholder('float');
  const scalars = adamScalars(o, settings);
  const next = parameters.map((p, i) => {
    const [m, v, g] = [first[i], second[i], gradients[i]] as [Tensor, Tensor, Tensor];
    return steppedParameter(o, { p, m, v, g }, scalars);
  });
  return native.compile(
    graph,
    [...parameters, ...first, ...second, ...gradients, settings],
    [...next.map(([p]) => p), ...next.map(([, m]) => m), ...next.map(([, , v]) => v)],
  );
}
