/** What a proposed task's output is, from what its program did: a literal other than None, the same in every sandbox. */
import type { Outcome } from '../sandbox/port.js';

/** Why an outcome gives no output: the closed list. */
export const GOLD_REASONS = [
  'raised',
  'timeout',
  'memory',
  'killed',
  'too-large',
  'not-literal-output',
  'nan',
  'none-output',
  'error-name',
  'nondeterministic',
  'no-result',
  'refused',
] as const;
export type GoldReason = (typeof GOLD_REASONS)[number];

export interface GoldRefusal {
  readonly reason: GoldReason;
  readonly detail: string;
}

/** The literal text of a value, or why there is none. */
export function literalGold(outcome: Outcome): string | GoldRefusal {
  if (outcome.kind === 'value')
    return outcome.text === 'None' ? { reason: 'none-output', detail: 'the result is None' } : outcome.text;
  if (outcome.kind === 'raised')
    return { reason: 'raised', detail: `${outcome.error}: ${outcome.message}`.slice(0, 400) };
  if (outcome.kind === 'not-literal')
    return { reason: 'not-literal-output', detail: `the result is of type ${outcome.type}` };
  if (outcome.kind === 'nan') return { reason: 'nan', detail: 'the result holds NaN, which equals nothing' };
  return withoutEnd(outcome);
}

/** Why a program came to no end that tells something. */
export function withoutEnd(
  outcome: Exclude<Outcome, { readonly kind: 'value' | 'raised' | 'not-literal' | 'nan' }>,
): GoldRefusal {
  switch (outcome.kind) {
    case 'killed':
      return { reason: 'killed', detail: `signal ${outcome.signal}` };
    case 'refused':
      return { reason: 'refused', detail: outcome.reason };
    case 'timeout':
    case 'memory':
    case 'too-large':
    case 'nondeterministic':
    case 'no-result':
      return { reason: outcome.kind, detail: DETAILS[outcome.kind] };
  }
}

const DETAILS = {
  timeout: 'the CPU limit was reached',
  memory: 'the memory limit was reached',
  'too-large': 'the result is too large or nested too deeply',
  nondeterministic: 'two sandboxes disagree',
  'no-result': 'the process ended without a result',
} as const;
