/**
 * Matrix products in the type asked for. What comes in and what goes out is float32.
 *
 * bfloat16 (mixed precision; Micikevicius et al. 2018, arXiv 1710.03740; Kalamkar et al. 2019, arXiv 1905.12322): factors
 * are rounded to 8 significant bits (relative error at most 2^-9), sums are float32 inside the kernel, and each sum is
 * rounded once more. Everything that is no product stays float32: weights, moments, norms, softmax, log-probabilities,
 * losses. bfloat16 has float32's exponents, so the loss needs no scaling.
 */
import type { Compute } from '../port.js';
import type { Tensor } from './graph.js';
import type { Operations } from './operations.js';

export class Products {
  readonly #o: Operations;
  readonly #compute: Compute;
  /** By name of the float32 tensor: a weight and a gradient each take part in several products. */
  readonly #narrow = new Map<string, Tensor>();

  constructor(operations: Operations, compute: Compute = 'float32') {
    this.#o = operations;
    this.#compute = compute;
  }

  /** a [n, k] b [k, m]: [n, m]; as Operations.matMul. */
  matMul(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
    return this.#wide(this.#o.matMul(this.#factor(a), this.#factor(b), transposeA, transposeB));
  }

  /** Over the last two axes; as Operations.batchMatMul. */
  batchMatMul(a: Tensor, b: Tensor, adjointA = false, adjointB = false): Tensor {
    return this.#wide(this.#o.batchMatMul(this.#factor(a), this.#factor(b), adjointA, adjointB));
  }

  #factor(x: Tensor): Tensor {
    if (this.#compute === 'float32') return x;
    const known = this.#narrow.get(x.name);
    if (known !== undefined) return known;
    const made = this.#o.cast(x, 'bfloat16');
    this.#narrow.set(x.name, made);
    return made;
  }

  #wide(x: Tensor): Tensor {
    return x.dtype === 'bfloat16' ? this.#o.cast(x, 'float') : x;
  }
}
