/**
 * Reverse-mode differentiation over graph symbols: each operation records how a gradient passes back through it, and
 * `gradients` emits those nodes in reverse. Composite operations (norm, rotation, gated unit) carry hand-derived rules,
 * which keeps the graph small.
 */
import type { Tensor } from './graph.js';
import type { Operations, Shape } from './operations.js';
import { Products } from './products.js';

/** What an operation adds to an input's gradient; or how it goes into what the other operations add, if they do. */
type Part = Tensor | ((others: Tensor | undefined) => Tensor);

interface Recorded {
  readonly output: Tensor;
  /** Gradients of the inputs, given the output's. */
  readonly back: (gradient: Tensor) => readonly (readonly [Tensor, Part])[];
}

/** Of a spec that states none. */
export const NORM_EPSILON = 1e-6;

/** Vocabularies up to which one-hot rows are used. Beyond, rows as long as the vocabulary are dear: tokens are gathered. */
export const ONE_HOT_ROWS = 512;

export class Tape {
  readonly #o: Operations;
  readonly #products: Products;
  readonly #recorded: Recorded[] = [];

  /** @param products the type of matrix products; default: float32. */
  constructor(operations: Operations, products = new Products(operations)) {
    this.#o = operations;
    this.#products = products;
  }

  #record(output: Tensor, back: Recorded['back']): Tensor {
    this.#recorded.push({ output, back });
    return output;
  }

  /** a [n, k], b [k, m] -> [n, m] */
  matMul(a: Tensor, b: Tensor): Tensor {
    const products = this.#products;
    return this.#record(products.matMul(a, b), (g) => [
      [a, products.matMul(g, b, false, true)],
      [b, products.matMul(a, g, true, false)],
    ]);
  }

  /** a [n, k], b [m, k] -> [n, m] */
  matMulTransposed(a: Tensor, b: Tensor): Tensor {
    const products = this.#products;
    return this.#record(products.matMul(a, b, false, true), (g) => [
      [a, products.matMul(g, b)],
      [b, products.matMul(g, a, true, false)],
    ]);
  }

  /** x [n, m] + bias [m] */
  addBias(x: Tensor, bias: Tensor): Tensor {
    const o = this.#o;
    return this.#record(o.addBias(x, bias), (g) => [
      [x, g],
      [bias, o.biasGradient(g)],
    ]);
  }

  /** x times a constant. */
  scale(x: Tensor, factor: number): Tensor {
    const o = this.#o;
    return this.#record(o.mul(x, o.graph.scalar(factor)), (g) => [[x, o.mul(g, o.graph.scalar(factor))]]);
  }

  /** Equal shapes. */
  add(a: Tensor, b: Tensor): Tensor {
    return this.#record(this.#o.add(a, b), (g) => [
      [a, g],
      [b, g],
    ]);
  }

  /**
   * softmax(query key^T / sqrt(w) + mask) value, heads side by side.
   *
   * The row sums that the softmax's gradient needs are those of dO * O, w columns wide rather than m (Dao et al. 2022,
   * arXiv 2205.14135, appendix B.2); the scale is on the queries, which are narrower than the scores.
   * @param query [b, h, g, n, w]: g query heads meet each key head
   * @param key [b, h, m, w]
   * @param value [b, h, m, w]
   * @param mask [n, m], added; takes no gradient
   * @param sizes h, g, n and w; and `blocks`: into how many the queries are cut where n = m and nobody sees what comes
   * later, so that no block meets keys behind its last query. With k blocks (k - 1) / 2k of the scores are left out.
   * @returns as query
   */
  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    sizes: {
      readonly h: number;
      readonly g: number;
      readonly n: Tensor;
      readonly w: number;
      readonly blocks: number;
    },
  ): Tensor {
    const o = this.#o;
    const { n, w, blocks } = sizes;
    const factor = o.graph.scalar(1 / Math.sqrt(w));
    const scaled = o.mul(query, factor);
    if (blocks === 1) {
      const one = attentionBlock(o, this.#products, scaled, key, value, mask, sizes);
      return this.#record(one.output, (gradient) => {
        const { q, k, v } = one.back(gradient);
        return [
          [query, o.mul(q, factor)],
          [key, k],
          [value, v],
        ];
      });
    }
    // Block i: queries [i n / blocks, (i + 1) n / blocks), which may be none.
    const ends = Array.from({ length: blocks + 1 }, (_, i) =>
      o.floorDiv(o.mul(n, o.graph.int(i)), o.graph.int(blocks)),
    );
    const parts = Array.from({ length: blocks }, (_, i) => {
      const [begin, end] = [ends[i] as Tensor, ends[i + 1] as Tensor];
      const seen = (x: Tensor): Tensor => o.sliceBetween(x, 4, 2, null, end);
      const rows = (x: Tensor): Tensor => o.sliceBetween(x, 5, 3, begin, end);
      const ownMask = o.sliceBetween(o.sliceBetween(mask, 2, 0, begin, end), 2, 1, null, end);
      const block = attentionBlock(o, this.#products, rows(scaled), seen(key), seen(value), ownMask, {
        ...sizes,
        n: o.sub(end, begin),
      });
      return { ...block, rows, rest: o.sub(n, end) };
    });
    const output = o.concat(
      parts.map((part) => part.output),
      3,
    );
    return this.#record(output, (gradient) => {
      const back = parts.map((part) => ({ ...part.back(part.rows(gradient)), rest: part.rest }));
      // Keys that a block does not see get nothing from it.
      const whole = (x: Tensor, rest: Tensor): Tensor => o.padEnd(x, 4, 2, rest);
      return [
        [
          query,
          o.mul(
            o.concat(
              back.map(({ q }) => q),
              3,
            ),
            factor,
          ),
        ],
        [key, o.addN(back.map(({ k, rest }) => whole(k, rest)))],
        [value, o.addN(back.map(({ v, rest }) => whole(v, rest)))],
      ];
    });
  }

  /** x [n, d] / rms(x) * weight [d] */
  rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
    const o = this.#o;
    const r = o.rsqrt(o.add(o.mean(o.square(x), [-1], true), o.graph.scalar(epsilon)));
    const unit = o.mul(x, r);
    return this.#record(o.mul(unit, weight), (g) => {
      const gw = o.mul(g, weight);
      // d/dx of x*r: r * (g - unit * mean(g * unit))
      return [
        [x, o.mul(r, o.sub(gw, o.mul(unit, o.mean(o.mul(gw, unit), [-1], true))))],
        [weight, o.sum(o.mul(g, unit), [0])],
      ];
    });
  }

  /**
   * Rotary positions: x * cos + x' * sin, where x' has the halves of each head's width changed over, and the sine of the
   * first half is negative.
   * @param x [..., headWidth]
   * @param rank of x
   */
  rotate(x: Tensor, { headWidth, cos, sin }: Rotation, rank: number): Tensor {
    const o = this.#o;
    const turned = (t: Tensor): Tensor => o.roll(t, rank - 1, headWidth / 2);
    return this.#record(o.add(o.mul(x, cos), o.mul(turned(x), sin)), (g) => [
      [x, o.add(o.mul(g, cos), turned(o.mul(g, sin)))],
    ]);
  }

  /** silu(gate) * up, [n, h] each */
  gatedUnit(gate: Tensor, up: Tensor): Tensor {
    const o = this.#o;
    const s = o.sigmoid(gate);
    const silu = o.mul(gate, s);
    return this.#record(o.mul(silu, up), (g) => {
      // d silu / d gate = s + silu * (1 - s)
      const slope = o.add(s, o.sub(silu, o.mul(silu, s)));
      return [
        [gate, o.mul(o.mul(g, up), slope)],
        [up, o.mul(g, silu)],
      ];
    });
  }

  /** @param back the shape before. */
  reshape(x: Tensor, shape: Shape, back: Shape): Tensor {
    return this.#record(this.#o.reshape(x, shape), (g) => [[x, this.#o.reshape(g, back)]]);
  }

  transpose(x: Tensor, permutation: readonly number[]): Tensor {
    const inverse = permutation.map((_, i) => permutation.indexOf(i));
    return this.#record(this.#o.transpose(x, permutation), (g) => [[x, this.#o.transpose(g, inverse)]]);
  }

  /** x cut into parts of the given sizes along `axis`; each must take part in what is differentiated. */
  split(x: Tensor, axis: number, parts: readonly number[]): Tensor[] {
    const o = this.#o;
    const outputs = o.split(x, axis, parts);
    const gradients: (Tensor | undefined)[] = outputs.map(() => undefined);
    // Parts are met in reverse; the whole is known at the first of them in forward order, which comes last.
    outputs.forEach((output, i) => {
      this.#record(output, (g) => {
        gradients[i] = g;
        return i === 0
          ? [
              [
                x,
                o.concat(
                  gradients.map((part) => part as Tensor),
                  axis,
                ),
              ],
            ]
          : [];
      });
    });
    return outputs;
  }

  /**
   * Rows of `table` [rows, d] by index. The gradient sums rows that were taken more than once; where the table is the
   * output matrix too, it goes into that gradient, and no second one as large is made.
   */
  embedding(table: Tensor, indices: Tensor, rows: number): Tensor {
    const o = this.#o;
    return this.#record(o.gather(table, indices), (g) => [
      [
        table,
        (others) =>
          others === undefined
            ? o.segmentSum(g, indices, o.graph.int(rows))
            : o.scatterAdd(others, indices, g),
      ],
    ]);
  }

  /**
   * Distinct rows of x [m, d].
   * @param inverse [m]: where each row of x stands in the result; the result's length where it does not.
   */
  pick(x: Tensor, indices: Tensor, inverse: Tensor, d: number): Tensor {
    const o = this.#o;
    const nothing = o.graph.constant(new Float32Array(d), [1, d]);
    return this.#record(o.gather(x, indices), (g) => [[x, o.gather(o.concat([g, nothing], 0), inverse)]]);
  }

  /**
   * f(x), of which nothing but x is kept: what its gradient needs is computed again when the gradient comes by, and not
   * earlier (activation recomputation; Chen et al. 2016, arXiv 1604.06174).
   * @param parameters what else f differentiates.
   */
  recomputed(x: Tensor, parameters: readonly Tensor[], f: (tape: Tape, x: Tensor) => Tensor): Tensor {
    const o = this.#o;
    return this.#record(f(new Tape(o, this.#products), x), (g) => {
      const again = new Tape(o, this.#products);
      // Held back until the gradient is there; and no optimiser takes it for the first time's nodes.
      const start = o.after(x, g);
      const gradients = again.gradients(f(again, start), g, [start, ...parameters]);
      return [x, ...parameters].map((input, i) => [input, gradients[i] as Tensor] as const);
    });
  }

  #sum(parts: readonly Part[]): Tensor {
    const tensors = parts.filter((part) => typeof part !== 'function');
    const start = tensors.length === 0 ? undefined : this.#o.addN(tensors);
    const whole = parts
      .filter((part) => typeof part === 'function')
      .reduce<Tensor | undefined>((others, into) => into(others), start);
    if (whole === undefined) throw new RangeError('parts is empty; at least one is needed');
    return whole;
  }

  /** Gradients of `wrt`, given the gradient of one output. */
  gradients(output: Tensor, gradient: Tensor, wrt: readonly Tensor[]): Tensor[] {
    const pending = new Map<string, Part[]>([[output.name, [gradient]]]);
    for (const { output: at, back } of [...this.#recorded].reverse()) {
      const parts = pending.get(at.name);
      if (parts === undefined) continue;
      for (const [input, part] of back(this.#sum(parts))) {
        const list = pending.get(input.name);
        if (list === undefined) pending.set(input.name, [part]);
        else list.push(part);
      }
    }
    return wrt.map((tensor) => {
      const parts = pending.get(tensor.name);
      if (parts === undefined) throw new Error(`no gradient reaches ${tensor.name}`);
      return this.#sum(parts);
    });
  }
}

/** softmax(scaled key^T + mask) value, and the gradients of the three: see Tape.attention. */
function attentionBlock(
  o: Operations,
  products: Products,
  scaled: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor,
  { h, g, n, w }: { readonly h: number; readonly g: number; readonly n: Tensor; readonly w: number },
): { output: Tensor; back(gradient: Tensor): Readonly<Record<'q' | 'k' | 'v', Tensor>> } {
  // Not left to be inferred: a block may have no rows.
  const [b, m] = [o.size(key, 0), o.size(key, 2)];
  // The queries of a group are rows of one product: no key is repeated.
  const rows = g === 1 ? n : o.mul(o.graph.int(g), n);
  const together = (x: Tensor, last: Tensor | number): Tensor => o.reshape(x, [b, h, rows, last]);
  const apart = (x: Tensor, last: Tensor | number): Tensor => o.reshape(x, [b, h, g, n, last]);
  const q = together(scaled, w);
  const p = together(o.softmax(o.add(apart(products.batchMatMul(q, key, false, true), m), mask)), m);
  const out = products.batchMatMul(p, value);
  return {
    output: apart(out, w),
    back: (gradient) => {
      const dOut = together(gradient, w);
      const dP = products.batchMatMul(dOut, value, false, true);
      const dS = o.mul(p, o.sub(dP, o.sum(o.mul(dOut, out), [-1], true)));
      return {
        q: apart(products.batchMatMul(dS, key), w),
        k: products.batchMatMul(dS, q, true, false),
        v: products.batchMatMul(p, dOut, true, false),
      };
    },
  };
}

export interface Rotation {
  readonly headWidth: number;
  /** Broadcast over what is rotated. */
  readonly cos: Tensor;
  /** Negative in the first half of the width. */
  readonly sin: Tensor;
}
