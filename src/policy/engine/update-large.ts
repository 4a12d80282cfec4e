/**
 * One large parameter's step of AdamW, as update.ts has the formulas, in three calls: first moment, second moment, parameter.
 *
 * What each call needs no longer goes before the next, so that at most two tensors of the parameter's size are in memory
 * beside the four that come in. The single operation (Operations.adam) needs four, which for a vocabulary's embedding is
 * the peak of a step; three calls go over memory more often.
 */
import { Graph, type Tensor } from './graph.js';
import type { Native, NativeTensor, Program } from './native.js';
import { Operations } from './operations.js';
import { adamScalars, type AdamScalars, type Release } from './update-step.js';

type Formula = (o: Operations, tensors: readonly Tensor[], s: AdamScalars) => Tensor;

const first: Formula = (o, [m, g], { b1, clip }) =>
  o.add(o.mul(m as Tensor, b1), o.mul(g as Tensor, o.mul(clip, o.sub(o.graph.scalar(1), b1))));

/** Squared after clipping: the square of a large gradient may leave float32. */
const second: Formula = (o, [v, g], { b2, clip }) =>
  o.add(o.mul(v as Tensor, b2), o.mul(o.square(o.mul(g as Tensor, clip)), o.sub(o.graph.scalar(1), b2)));

const parameter: Formula = (o, [p, m, v], { rate, epsilon, shrink }) =>
  o.sub(o.mul(p as Tensor, shrink), o.mul(o.div(m as Tensor, o.add(o.sqrt(v as Tensor), epsilon)), rate));

export class LargeStep {
  readonly #first: Program;
  readonly #second: Program;
  readonly #parameter: Program;

  constructor(native: Native) {
    const compile = (inputs: number, formula: Formula): Program => {
      const graph = new Graph();
      const o = new Operations(graph);
      const tensors = Array.from({ length: inputs }, () => graph.placeholder('float'));
      const settings = graph.placeholder('float');
      return native.compile(graph, [...tensors, settings], [formula(o, tensors, adamScalars(o, settings))]);
    };
    this.#first = compile(2, first);
    this.#second = compile(2, second);
    this.#parameter = compile(3, parameter);
  }

  /** @returns parameter and moments after the step, the caller's. What came in is released as it is done with. */
  run(
    [p, m, v]: readonly [NativeTensor, NativeTensor, NativeTensor],
    gradient: NativeTensor,
    settings: NativeTensor,
    release: Release,
    hold: (tensor: NativeTensor) => NativeTensor,
  ): NativeTensor[] {
    const one = (program: Program, inputs: readonly NativeTensor[]): NativeTensor =>
      hold(program.run([...inputs, settings])[0] as NativeTensor);
    const nextFirst = one(this.#first, [m, gradient]);
    release.model([m]);
    const nextSecond = one(this.#second, [v, gradient]);
    release.gradients([gradient]);
    release.model([v]);
    const next = one(this.#parameter, [p, nextFirst, nextSecond]);
    release.model([p]);
    return [next, nextFirst, nextSecond];
  }

  dispose(): void {
    for (const program of [this.#first, this.#second, this.#parameter]) program.dispose();
  }
}
