/**
 * The policy's transformer written a second time, in plain loops and double precision, one sequence at a time: what the
 * engine's graphs are checked against. Shares no code with them.
 */
import type { ModelSpec } from '../../../src/policy/port.js';

export interface Matrix {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}
export type Weights = ReadonlyMap<string, Matrix>;

type Vector = Float64Array<ArrayBuffer>;

function weight(weights: Weights, name: string): Matrix {
  const found = weights.get(name);
  if (found === undefined) throw new Error(`no weight ${name}`);
  return found;
}

function times(x: Vector, { shape, data }: Matrix): Vector {
  const [rows = 0, columns = 0] = shape;
  const y = new Float64Array(columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[j]! += x[i]! * data[i * columns + j]!;
  return y;
}

function rms(x: Vector, { data }: Matrix): Vector {
  const mean = x.reduce((sum, v) => sum + v * v, 0) / x.length;
  return x.map((v, i) => (v / Math.sqrt(mean + 1e-6)) * data[i]!);
}

/** Pairs (i, i + half) turned by position * 10000^(-2i / width). */
function turned(x: Vector, position: number): Vector {
  const half = x.length / 2;
  return x.map((v, i) => {
    const k = i % half;
    const angle = position * Math.pow(10_000, (-2 * k) / x.length);
    const other = i < half ? -x[i + half]! : x[i - half]!;
    return v * Math.cos(angle) + other * Math.sin(angle);
  });
}

const plus = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]!);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/** Logits after each token: [tokens][vocabulary]. */
export function referenceLogits(spec: ModelSpec, weights: Weights, tokens: readonly number[]): Vector[] {
  const { width: d, heads, layers, hidden, vocabulary } = spec;
  const w = d / heads;
  const embedding = weight(weights, 'embedding');
  let xs = tokens.map((t) => Float64Array.from(embedding.data.slice(t * d, (t + 1) * d)));
  for (let layer = 0; layer < layers; layer++) {
    const of = (name: string): Matrix => weight(weights, `layer${layer}.${name}`);
    const qkv = xs.map((x) => times(rms(x, of('norm1')), of('qkv')));
    const part = (i: number, which: number, head: number): Vector =>
      qkv[i]!.slice(which * d + head * w, which * d + (head + 1) * w);
    xs = xs.map((x, i) => {
      const mixed = new Float64Array(d);
      for (let head = 0; head < heads; head++) {
        const query = turned(part(i, 0, head), i);
        const scores = Array.from(
          { length: i + 1 },
          (_, j) => dot(query, turned(part(j, 1, head), j)) / Math.sqrt(w),
        );
        const top = Math.max(...scores);
        const exps = scores.map((s) => Math.exp(s - top));
        const total = exps.reduce((a, b) => a + b, 0);
        exps.forEach((e, j) => part(j, 2, head).forEach((v, k) => (mixed[head * w + k]! += (e / total) * v)));
      }
      return plus(x, times(mixed, of('out')));
    });
    xs = xs.map((x) => {
      const gateUp = times(rms(x, of('norm2')), of('gateUp'));
      const unit = new Float64Array(hidden).map((_, k) => {
        const gate = gateUp[k]!;
        return (gate / (1 + Math.exp(-gate))) * gateUp[hidden + k]!;
      });
      return plus(x, times(unit, of('down')));
    });
  }
  return xs.map((x) => {
    const y = rms(x, weight(weights, 'norm'));
    return new Float64Array(vocabulary).map((_, t) =>
      dot(y, Float64Array.from(embedding.data.slice(t * d, (t + 1) * d))),
    );
  });
}

/** Log-probabilities over the tokens that may follow; -Infinity for the others. */
export function logSoftmaxOver(logits: Vector, allowed: (token: number) => boolean, temperature = 1): Vector {
  const scaled = logits.map((v, t) => (allowed(t) ? v / temperature : -Infinity));
  const top = Math.max(...scaled);
  const total = scaled.reduce((sum, v) => sum + Math.exp(v - top), 0);
  return scaled.map((v) => v - top - Math.log(total));
}

export interface ReferenceStep {
  /** At temperature 1. */
  readonly logProbs: Vector;
  /** At the sampling temperature. */
  readonly sampling: Vector;
  readonly token: number;
}

/** For each completion token: the distribution it was drawn from, computed by a full forward pass of what stands before. */
export function referenceSteps(
  spec: ModelSpec,
  weights: Weights,
  row: {
    readonly prompt: readonly number[];
    readonly completion: readonly number[];
    readonly grammar?: string;
    readonly temperature?: number;
  },
): ReferenceStep[] {
  const { grammar } = spec;
  const constrained = grammar !== undefined && row.grammar !== undefined;
  let state = constrained ? grammar.start[row.grammar]! : -1;
  const logits = referenceLogits(spec, weights, [...row.prompt, ...row.completion]);
  return row.completion.map((token, i) => {
    const here = state;
    const allowed = (t: number): boolean =>
      !constrained || grammar.allowed[here * grammar.vocabulary + t] === 1;
    const at = logits[row.prompt.length + i - 1]!;
    const step = {
      logProbs: logSoftmaxOver(at, allowed),
      sampling: logSoftmaxOver(at, allowed, row.temperature ?? 1),
      token,
    };
    if (constrained) state = grammar.next[here * grammar.vocabulary + token]!;
    return step;
  });
}
