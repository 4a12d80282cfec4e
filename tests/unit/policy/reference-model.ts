/**
 * The policy's transformer written a second time, in plain loops and double precision, one sequence at a time: what the
 * engine's graphs are checked against. Shares no code with them.
 */
import type { LearnConfig, LearnRow, ModelSpec } from '../../../src/policy/port.js';

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

function rms(x: Vector, { data }: Matrix, epsilon: number): Vector {
  const mean = x.reduce((sum, v) => sum + v * v, 0) / x.length;
  return x.map((v, i) => (v / Math.sqrt(mean + epsilon)) * data[i]!);
}

/** How fast pair k of a head turns; Llama 3's stretch by wavelengths, as its paper's code words it. */
function frequency(spec: ModelSpec, k: number, width: number): number {
  const plain = 1 / Math.pow(spec.rotaryBase ?? 10_000, (2 * k) / width);
  const { rotaryScaling: stretch } = spec;
  if (stretch === undefined) return plain;
  const wavelength = (2 * Math.PI) / plain;
  const [short, long] = [stretch.highFrequencyFactor, stretch.lowFrequencyFactor].map(
    (factor) => stretch.originalContext / factor,
  ) as [number, number];
  if (wavelength < short) return plain;
  if (wavelength > long) return plain / stretch.factor;
  const smooth =
    (stretch.originalContext / wavelength - stretch.lowFrequencyFactor) /
    (stretch.highFrequencyFactor - stretch.lowFrequencyFactor);
  return (1 - smooth) * (plain / stretch.factor) + smooth * plain;
}

/** Pairs (i, i + half) turned by position * frequency. */
function turned(spec: ModelSpec, x: Vector, position: number): Vector {
  const half = x.length / 2;
  return x.map((v, i) => {
    const angle = position * frequency(spec, i % half, x.length);
    const other = i < half ? -x[i + half]! : x[i - half]!;
    return v * Math.cos(angle) + other * Math.sin(angle);
  });
}

const plus = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]!);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/** Logits after each token: [tokens][vocabulary]. */
export function referenceLogits(spec: ModelSpec, weights: Weights, tokens: readonly number[]): Vector[] {
  const { width: d, heads, layers, hidden, vocabulary } = spec;
  const w = spec.headWidth ?? d / heads;
  const keyHeads = spec.keyValueHeads ?? heads;
  const epsilon = spec.normEpsilon ?? 1e-6;
  const row = ({ data }: Matrix, t: number): Vector => Float64Array.from(data.slice(t * d, (t + 1) * d));
  let xs = tokens.map((t) => row(weight(weights, 'embedding'), t));
  for (let layer = 0; layer < layers; layer++) {
    const of = (name: string): Matrix => weight(weights, `layer${layer}.${name}`);
    const qkv = xs.map((x) => {
      const y = times(rms(x, of('norm1'), epsilon), of('qkv'));
      return spec.attentionBias === true ? plus(y, Float64Array.from(of('qkvBias').data)) : y;
    });
    const columns = (i: number, from: number, name?: string): Vector => {
      const x = qkv[i]!.slice(from, from + w);
      return name === undefined || spec.queryKeyNorm !== true ? x : rms(x, of(name), epsilon);
    };
    xs = xs.map((x, i) => {
      const mixed = new Float64Array(heads * w);
      for (let head = 0; head < heads; head++) {
        const keyHead = Math.floor((head * keyHeads) / heads);
        const query = turned(spec, columns(i, head * w, 'queryNorm'), i);
        const scores = Array.from(
          { length: i + 1 },
          (_, j) => dot(query, turned(spec, columns(j, (heads + keyHead) * w, 'keyNorm'), j)) / Math.sqrt(w),
        );
        const top = Math.max(...scores);
        const exps = scores.map((s) => Math.exp(s - top));
        const total = exps.reduce((a, b) => a + b, 0);
        exps.forEach((e, j) =>
          columns(j, (heads + keyHeads + keyHead) * w).forEach(
            (v, k) => (mixed[head * w + k]! += (e / total) * v),
          ),
        );
      }
      return plus(x, times(mixed, of('out')));
    });
    xs = xs.map((x) => {
      const gateUp = times(rms(x, of('norm2'), epsilon), of('gateUp'));
      const unit = new Float64Array(hidden).map((_, k) => {
        const gate = gateUp[k]!;
        return (gate / (1 + Math.exp(-gate))) * gateUp[hidden + k]!;
      });
      return plus(x, times(unit, of('down')));
    });
  }
  const output = weight(weights, spec.untied === true ? 'output' : 'embedding');
  return xs.map((x) => {
    const y = rms(x, weight(weights, 'norm'), epsilon);
    return new Float64Array(vocabulary).map((_, t) => dot(y, row(output, t)));
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

/** The loss as the docstring of learner-graph.ts states it. */
export function referenceLoss(
  spec: ModelSpec,
  model: Weights,
  rows: readonly LearnRow[],
  c: LearnConfig,
  held: Weights = model,
): number {
  const taken = (row: LearnRow): number => row.completion.filter((_, i) => row.mask?.[i] !== false).length;
  const tokens = rows.reduce((sum, row) => sum + taken(row), 0);
  return rows.reduce((loss, row) => {
    const group = rows.filter(({ group: name }) => name === row.group);
    const w = {
      token: 1 / tokens,
      sequence: 1 / (rows.length * taken(row)),
      group: group.length / rows.length / group.reduce((sum, other) => sum + taken(other), 0),
    }[c.aggregation];
    const heldSteps = held === model ? [] : referenceSteps(spec, held, row);
    return referenceSteps(spec, model, row).reduce((sum, { logProbs, token }, i) => {
      if (row.mask?.[i] === false) return sum;
      const ratio = Math.exp((logProbs[token] ?? 0) - (row.logProbs[i] ?? 0));
      const clipped = Math.min(Math.max(ratio, 1 - c.clipLow), 1 + c.clipHigh);
      const entropy = -logProbs.reduce((h, logP) => (logP === -Infinity ? h : h + Math.exp(logP) * logP), 0);
      const worst = Math.max(-row.advantage * ratio, -row.advantage * clipped);
      const policy =
        c.dualClip !== undefined && row.advantage < 0 ? Math.min(worst, -row.advantage * c.dualClip) : worst;
      const d = heldSteps.length === 0 ? 0 : (heldSteps[i]?.logProbs[token] ?? 0) - (logProbs[token] ?? 0);
      const divergence = (c.klCoefficient ?? 0) * (Math.exp(d) - d - 1);
      return sum + w * (policy - c.entropyCoefficient * entropy + divergence);
    }, loss);
  }, 0);
}
