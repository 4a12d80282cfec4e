/** Sampling checked against the second implementation of the transformer. */
import { expect } from 'vitest';
import { endTokens } from '../../src/policy/engine/parameters.js';
import { uniform } from '../../src/policy/engine/uniforms.js';
import type { ModelSpec, Sample, SampleRequest } from '../../src/policy/port.js';
import { referenceSteps, type Weights } from '../unit/policy/reference-model.js';

/** The token that inverse-CDF sampling takes, and how far the uniform is from the nearest boundary. */
function inverseCdf(sampling: Float64Array, u: number): { token: number; margin: number } {
  let sum = 0;
  let token = -1;
  let margin = 1;
  sampling.forEach((logP, t) => {
    sum += Math.exp(logP);
    margin = Math.min(margin, Math.abs(sum - u));
    if (token < 0 && sum > u) token = t;
  });
  return { token, margin };
}

/** Each sample's tokens and log-probabilities are those of full forward passes of the second implementation. */
export function expectFollowsReference(
  model: ModelSpec,
  weights: Weights,
  requests: readonly SampleRequest[],
  samples: readonly Sample[],
): void {
  const ends = endTokens(model);
  let worst = 0;
  samples.forEach((sample, i) => {
    const request = requests[i] as SampleRequest;
    expect(sample.id).toBe(request.id);
    expect(sample.tokens.length).toBeGreaterThan(0);
    expect(sample.finish).toBe(ends.includes(sample.tokens.at(-1) ?? -1) ? 'end' : 'length');
    if (sample.finish === 'length') expect(sample.tokens.length).toBe(request.maxTokens);
    const steps = referenceSteps(model, weights, {
      prompt: request.prompt,
      completion: sample.tokens,
      temperature: request.temperature === 0 ? 1 : request.temperature,
      ...(request.grammar === undefined ? {} : { grammar: request.grammar }),
    });
    steps.forEach(({ logProbs, sampling, token }, t) => {
      worst = Math.max(worst, Math.abs((logProbs[token] ?? Number.NaN) - (sample.logProbs[t] ?? Number.NaN)));
      if (request.temperature === 0) {
        expect(logProbs[token]).toBeGreaterThan(Math.max(...logProbs) - 1e-4);
      } else {
        const { token: expected, margin } = inverseCdf(sampling, uniform(request.seed, t));
        // Where the uniform falls on a boundary, rounding may decide.
        if (margin > 1e-5) expect(token).toBe(expected);
      }
    });
  });
  expect(worst).toBeLessThan(1e-4);
}
