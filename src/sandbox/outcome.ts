/** From a child's frames and its end to outcomes. Frames are what a hostile process wrote: anything odd is no-result. */
import type { Outcome } from './port.js';
import type { Reply } from './isolated.js';
import { literalKey } from './values.js';

/** An outcome and, for values, the canonical key by which seeds are compared. */
export interface Decoded {
  readonly outcome: Outcome;
  readonly key: string;
}

const NO_RESULT: Decoded = { outcome: { kind: 'no-result' }, key: '' };

/** Memory addresses in messages differ from run to run. */
const ADDRESS = /0x[0-9a-f]{6,}/g;
/** Longest class name and message the harness writes; longer ones are forged. */
const MAX_RAISED = 8000;

/** True where every expected frame came, nothing else, and the child left as it should. */
export function isClean(reply: Reply, expected: number): boolean {
  return !reply.broken && reply.end === 'exit' && reply.code === 0 && reply.frames.length === expected;
}

/** One frame of the child (tags: harness/child.py). */
export function decodeFrame(frame: string, resultBytes: number): Decoded {
  const body = frame.slice(1);
  switch (frame.slice(0, 1)) {
    case 'V': {
      // A frame can be forged; its text is held to the same rules as the harness's own.
      if (body.length > resultBytes) return { outcome: { kind: 'too-large' }, key: '' };
      const parsed = literalKey(body);
      if (parsed.ok) return { outcome: { kind: 'value', text: body }, key: parsed.key };
      return parsed.reason === 'nan' ? { outcome: { kind: 'nan' }, key: '' } : NO_RESULT;
    }
    case 'R': {
      if (body.length > MAX_RAISED) return NO_RESULT;
      const [error = '', ...message] = body.split('\n');
      return {
        outcome: { kind: 'raised', error, message: message.join(' ').replaceAll(ADDRESS, '0x...') },
        key: error,
      };
    }
    case 'M':
      return { outcome: { kind: 'memory' }, key: '' };
    case 'L':
      return { outcome: { kind: 'too-large' }, key: '' };
    case 'N':
      return { outcome: { kind: 'not-literal', type: body.slice(0, 100) }, key: body };
    case 'A':
      return { outcome: { kind: 'nan' }, key: '' };
    default:
      return NO_RESULT;
  }
}

/** The outcome of a child that ran one input. */
export function decodeSingle(reply: Reply, resultBytes: number): Decoded {
  if (reply.end === 'timeout') return { outcome: { kind: 'timeout' }, key: '' };
  if (reply.broken) return NO_RESULT;
  if (reply.end === 'signal')
    return { outcome: { kind: 'killed', signal: reply.code }, key: String(reply.code) };
  const frame = reply.frames[0];
  if (!isClean(reply, 1) || frame === undefined) return NO_RESULT;
  return decodeFrame(frame, resultBytes);
}

/** What several seeds say together. */
export function agree(decoded: readonly Decoded[]): Outcome {
  const first = decoded[0] ?? NO_RESULT;
  const same = decoded.every((d) => d.outcome.kind === first.outcome.kind && d.key === first.key);
  if (!same) return { kind: 'nondeterministic' };
  const { outcome } = first;
  // A message may name what hangs on the seed (an element of a set); then none is kept, so that a replay agrees.
  if (
    outcome.kind === 'raised' &&
    decoded.some((d) => d.outcome.kind === 'raised' && d.outcome.message !== outcome.message)
  )
    return { ...outcome, message: '' };
  return outcome;
}
