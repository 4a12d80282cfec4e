/**
 * The transformer's parameters: names, shapes, initial values. The one place that says which a model has.
 *
 * Decoder-only, pre-norm with RMSNorm (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), gated SiLU
 * feed-forward (Shazeer 2020), embeddings tied to the output unless `untied`. Fused projections: query, key and value in
 * one matrix, gate and up in another; matrices are [in, out].
 */
import { Random } from '../../random.js';
import type { ModelSpec } from '../port.js';
import { sizeOf } from '../shape.js';

export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  /** `ones` for norms, `zeros` for biases; else normal with this standard deviation. */
  readonly initial: 'ones' | 'zeros' | number;
}

/** What attention's shapes follow from, defaults filled in. */
export interface AttentionShape {
  readonly headWidth: number;
  readonly keyValueHeads: number;
  /** Query heads that meet one key head. */
  readonly groups: number;
  /** Columns of queries, keys and values in the fused projection. */
  readonly parts: readonly [number, number, number];
}

export function attentionShape(spec: ModelSpec): AttentionShape {
  const headWidth = spec.headWidth ?? spec.width / spec.heads;
  const keyValueHeads = spec.keyValueHeads ?? spec.heads;
  const [query, key] = [spec.heads * headWidth, keyValueHeads * headWidth];
  return { headWidth, keyValueHeads, groups: spec.heads / keyValueHeads, parts: [query, key, key] };
}

export function parameterShapes(spec: ModelSpec): ParameterShape[] {
  const { width: d, hidden: h, layers } = spec;
  const { headWidth, parts } = attentionShape(spec);
  const columns = parts[0] + parts[1] + parts[2];
  // Residual branches add up over depth: their output projections start smaller (Radford et al. 2019).
  const residual = 1 / Math.sqrt(d) / Math.sqrt(2 * layers);
  const fan = 1 / Math.sqrt(d);
  return [
    { name: 'embedding', shape: [spec.vocabulary, d], initial: fan },
    ...Array.from({ length: layers }, (_, i): ParameterShape[] => [
      { name: `layer${i}.norm1`, shape: [d], initial: 'ones' },
      { name: `layer${i}.qkv`, shape: [d, columns], initial: fan },
      ...optional(spec.attentionBias, { name: `layer${i}.qkvBias`, shape: [columns], initial: 'zeros' }),
      ...optional(
        spec.queryKeyNorm,
        { name: `layer${i}.queryNorm`, shape: [headWidth], initial: 'ones' },
        { name: `layer${i}.keyNorm`, shape: [headWidth], initial: 'ones' },
      ),
      { name: `layer${i}.out`, shape: [parts[0], d], initial: residual },
      { name: `layer${i}.norm2`, shape: [d], initial: 'ones' },
      { name: `layer${i}.gateUp`, shape: [d, 2 * h], initial: fan },
      { name: `layer${i}.down`, shape: [h, d], initial: residual * Math.sqrt(d / h) },
    ]).flat(),
    { name: 'norm', shape: [d], initial: 'ones' },
    ...optional(spec.untied, { name: 'output', shape: [spec.vocabulary, d], initial: fan }),
  ];
}

export const parameterCount = (spec: ModelSpec): number =>
  parameterShapes(spec).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

function optional(has: boolean | undefined, ...shapes: readonly ParameterShape[]): readonly ParameterShape[] {
  return has === true ? shapes : [];
}

/** Every token that ends a completion. */
export function endTokens(spec: ModelSpec): readonly number[] {
  return [...(spec.endToken === undefined ? [] : [spec.endToken]), ...(spec.moreEndTokens ?? [])];
}

/** @throws RangeError naming what does not fit. */
export function checkSpec(spec: ModelSpec): void {
  for (const name of ['vocabulary', 'layers', 'width', 'heads', 'hidden', 'context'] as const)
    if (!Number.isInteger(spec[name]) || spec[name] < 1)
      throw new RangeError(`${name} is ${spec[name]}; accepted are integers from 1`);
  for (const name of ['keyValueHeads', 'headWidth'] as const)
    if (spec[name] !== undefined && (!Number.isInteger(spec[name]) || spec[name] < 1))
      throw new RangeError(`${name} is ${spec[name]}; accepted are integers from 1`);
  const tokens: [string, number][] = [['padToken', spec.padToken]];
  if (spec.endToken !== undefined) tokens.push(['endToken', spec.endToken]);
  spec.moreEndTokens?.forEach((token, i) => tokens.push([`moreEndTokens[${i}]`, token]));
  for (const [name, token] of tokens)
    if (!Number.isInteger(token) || token < 0 || token >= spec.vocabulary)
      throw new RangeError(`${name} is ${token}; accepted are tokens, 0 to ${spec.vocabulary - 1}`);
  const { width, heads, keyValueHeads = heads, headWidth, grammar } = spec;
  if (headWidth === undefined && width % heads !== 0)
    throw new RangeError(`width is ${width}; accepted are multiples of heads, which is ${heads}`);
  if (heads % keyValueHeads !== 0)
    throw new RangeError(`heads is ${heads}; accepted are multiples of keyValueHeads, ${keyValueHeads}`);
  const turned = headWidth ?? width / heads;
  if (turned % 2 !== 0)
    throw new RangeError(
      `${headWidth === undefined ? 'width / heads' : 'headWidth'} is ${turned}; accepted are even numbers: rotary positions turn pairs`,
    );
  for (const name of ['normEpsilon', 'rotaryBase'] as const)
    if (spec[name] !== undefined && !(Number.isFinite(spec[name]) && spec[name] > 0))
      throw new RangeError(`${name} is ${spec[name]}; accepted are numbers above 0`);
  const { rotaryScaling: scaling } = spec;
  if (scaling !== undefined) {
    for (const [name, value] of Object.entries(scaling))
      if (!(Number.isFinite(value) && value > 0))
        throw new RangeError(`rotaryScaling.${name} is ${value}; accepted are numbers above 0`);
    if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
      throw new RangeError(
        `rotaryScaling.highFrequencyFactor is ${scaling.highFrequencyFactor}; accepted are numbers above lowFrequencyFactor, ${scaling.lowFrequencyFactor}`,
      );
  }
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
      const values = new Float32Array(sizeOf(shape));
      if (initial === 'ones') values.fill(1);
      else if (initial !== 'zeros')
        for (let i = 0; i < values.length; i++) values[i] = initial * normal(random);
      return [name, values];
    }),
  );
}

/** Standard normal by Box and Muller (1958). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}
