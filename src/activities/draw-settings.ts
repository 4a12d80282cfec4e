/** How a run's completions are drawn: what a request has beside its prompt, its seed and its length. */
import type { RunConfig } from '../config/run.js';
import type { SampleRequest } from '../policy/port.js';

type DrawSettings = Pick<SampleRequest, 'temperature' | 'topK' | 'topP' | 'minP' | 'stop'>;

/** What would change nothing is left out: the sampler has a smaller graph without truncation. */
export function drawSettings({ policy }: Pick<RunConfig, 'policy'>, temperature: number): DrawSettings {
  if (policy.kind !== 'huggingface') return { temperature };
  const { topK, topP, minP } = policy.sampling;
  return {
    temperature,
    ...(topK === 0 ? {} : { topK }),
    ...(topP === 1 ? {} : { topP }),
    ...(minP === 0 ? {} : { minP }),
    ...stopStrings({ policy }),
  };
}

/** Greedy answers need nothing else. */
export function stopStrings({ policy }: Pick<RunConfig, 'policy'>): Pick<SampleRequest, 'stop'> {
  return policy.kind === 'huggingface' && policy.sampling.stop.length > 0
    ? { stop: policy.sampling.stop }
    : {};
}
