import { PromptTooLongError } from '../policy/text/codec.js';

/** What `make` gives; undefined where the prompt would be too long. */
export function unlessTooLong<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof PromptTooLongError) return undefined;
    throw error;
  }
}
