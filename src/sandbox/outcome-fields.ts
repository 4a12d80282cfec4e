import type { Outcome } from './port.js';

/** The closed union of outcomes, flattened for the record. */
export function outcomeFields(outcome: Outcome): {
  readonly kind: string;
  readonly text: string | null;
  readonly error: string | null;
  readonly message: string | null;
} {
  const none = { kind: outcome.kind, text: null, error: null, message: null };
  switch (outcome.kind) {
    case 'value':
      return { ...none, text: outcome.text };
    case 'raised':
      return { ...none, error: outcome.error, message: outcome.message };
    case 'killed':
      return { ...none, message: `signal ${outcome.signal}` };
    case 'not-literal':
      return { ...none, message: outcome.type };
    case 'refused':
      return { ...none, message: outcome.reason };
    case 'timeout':
    case 'memory':
    case 'too-large':
    case 'nan':
    case 'nondeterministic':
    case 'no-result':
      return none;
  }
}
