/** What the engine's process writes to its standard error: passed on, but for the lines that TensorFlow always writes. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Written before TensorFlow reads its log level. */
const ALWAYS = /absl::InitializeLog|MLIR V1 optimization pass|op_level_cost_estimator/;
const KEPT_LINES = 5;

export class EngineLog {
  readonly #lines: string[] = [];

  constructor(stream: Readable | null) {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      if (ALWAYS.test(line)) return;
      process.stderr.write(`${line}\n`);
      this.#lines.push(line);
      this.#lines.splice(0, this.#lines.length - KEPT_LINES);
    });
  }

  /** The last lines: why it ended, if it said so. */
  get last(): string {
    return this.#lines.join('; ');
  }
}
