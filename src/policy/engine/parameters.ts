/**
 * The transformer's parameters: names, shapes, initial values.
 *
 * Decoder-only, pre-norm with RMSNorm (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), gated SiLU
 * feed-forward (Shazeer 2020), embeddings tied to the output. Fused projections: query, key and value in one matrix, gate
 * and up in another.
 */
import { Random } from '../../random.js';
import type { ModelSpec } from '../port.js';

export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  /** `ones` for norms; else normal with this standard deviation. */
  readonly initial: 'ones' | number;
}

export function parameterShapes(spec: ModelSpec): ParameterShape[] {
  const { width: d, hidden: h, layers } = spec;
  // Residual branches add up over depth: their output projections start smaller (Radford et al. 2019).
  const residual = 1 / Math.sqrt(d) / Math.sqrt(2 * layers);
  const fan = 1 / Math.sqrt(d);
  return [
    { name: 'embedding', shape: [spec.vocabulary, d], initial: fan },
    ...Array.from({ length: layers }, (_, i): ParameterShape[] => [
      { name: `layer${i}.norm1`, shape: [d], initial: 'ones' },
      { name: `layer${i}.qkv`, shape: [d, 3 * d], initial: fan },
      { name: `layer${i}.out`, shape: [d, d], initial: residual },
      { name: `layer${i}.norm2`, shape: [d], initial: 'ones' },
      { name: `layer${i}.gateUp`, shape: [d, 2 * h], initial: fan },
      { name: `layer${i}.down`, shape: [h, d], initial: residual * Math.sqrt(d / h) },
    ]).flat(),
    { name: 'norm', shape: [d], initial: 'ones' },
  ];
}

/** @throws RangeError naming what does not fit. */
export function checkSpec(spec: ModelSpec): void {
  for (const name of ['vocabulary', 'layers', 'width', 'heads', 'hidden', 'context'] as const)
    if (!Number.isInteger(spec[name]) || spec[name] < 1)
      throw new RangeError(`${name} is ${spec[name]}; accepted are integers from 1`);
  for (const name of ['padToken', 'endToken'] as const)
    if (!Number.isInteger(spec[name]) || spec[name] < 0 || spec[name] >= spec.vocabulary)
      throw new RangeError(`${name} is ${spec[name]}; accepted are tokens, 0 to ${spec.vocabulary - 1}`);
  const { width, heads, grammar } = spec;
  if (width % heads !== 0)
    throw new RangeError(`width is ${width}; accepted are multiples of heads, which is ${heads}`);
  if ((width / heads) % 2 !== 0)
    throw new RangeError(
      `width / heads is ${width / heads}; accepted are even numbers: rotary positions turn pairs`,
    );
  if (grammar === undefined) return;
  if (grammar.vocabulary !== spec.vocabulary)
    throw new RangeError(
      `grammar.vocabulary is ${grammar.vocabulary}; accepted is the model's, ${spec.vocabulary}`,
    );
  const size = grammar.states * grammar.vocabulary;
  if (grammar.allowed.length !== size || grammar.next.length !== size)
    throw new RangeError(
      `grammar.allowed has ${grammar.allowed.length} entries and grammar.next ${grammar.next.length}; accepted is states * vocabulary, ${size}`,
    );
  for (let i = 0; i < size; i++) {
    const next = grammar.next[i] ?? -1;
    if (grammar.allowed[i] === 1 && !(next >= 0 && next < grammar.states))
      throw new RangeError(
        `grammar.next[${i}] is ${next} where the token is allowed; accepted are states, 0 to ${grammar.states - 1}`,
      );
  }
  for (const [name, state] of Object.entries(grammar.start))
    if (!Number.isInteger(state) || state < 0 || state >= grammar.states)
      throw new RangeError(
        `grammar.start[${name}] is ${state}; accepted are states, 0 to ${grammar.states - 1}`,
      );
}

export function initialValues(spec: ModelSpec, seed: number): Map<string, Float32Array> {
  const random = new Random(seed);
  return new Map(
    parameterShapes(spec).map(({ name, shape, initial }) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const values = new Float32Array(size);
      for (let i = 0; i < size; i++) values[i] = initial === 'ones' ? 1 : initial * normal(random);
      return [name, values];
    }),
  );
}

/** Standard normal by Box and Muller (1958). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}
