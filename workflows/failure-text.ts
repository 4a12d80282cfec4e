import { ActivityFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';

/** What went wrong in a step, in a sentence; undefined for what is no failure (continue-as-new, cancellation). */
export function failureText(error: unknown): string | undefined {
  if (isCancellation(error)) return undefined;
  let cause: unknown = error;
  let known = false;
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) {
    known = true;
    cause = cause.cause;
  }
  return known ? (cause instanceof Error ? cause.message : String(cause)) : undefined;
}
