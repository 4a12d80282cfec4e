/**
 * JSON lines in, JSON lines out, in input order and in bounded memory: behind `azr sandbox exec` and `azr sandbox judge`.
 *
 *   exec   {id, code, inputs: [text], limits?}                       -> {id, results: [...], deterministic, cpuMs}
 *   judge  {id, kind, code, input?, output?, answer, pairs?}         -> {id, correct, accuracy, reason}
 *
 * A line that is no such object is reported on the error stream with its number and skipped.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkItem, judgeMany, type JudgeItem } from './judge.js';
import { MAX_INPUTS, resolveLimits } from './limits.js';
import type { ExecutionClass, ExecutionRequest, ExecutionResult, Outcome, Sandbox } from './port.js';

/** Lines that are run together, and their bytes: what is in memory at once. */
const LINES_TOGETHER = 256;
const BYTES_TOGETHER = 16 << 20;
/** Lines are answered before there are so many where none comes for so long: who sends them may wait for the answers. */
const QUIET_MS = 20;
/** A longer line is malformed. */
export const MAX_LINE_BYTES = 64 << 20;

export interface ExecOptions {
  readonly seeds?: 1 | 2 | 3;
  readonly class?: ExecutionClass;
}

interface Line<T> {
  readonly id: unknown;
  readonly item: T;
}

/** Runs programs. Resolves to the number of malformed lines. */
export function execJsonl(
  sandbox: Sandbox,
  input: Readable,
  output: Writable,
  errors: Writable,
  options: ExecOptions = {},
): Promise<number> {
  return stream(input, output, errors, executionOf, async (lines) => {
    const results = await sandbox.runMany(lines.map(({ item }) => ({ ...item, ...options })));
    return results.map((result, i) => answerOf(lines[i]?.id, result));
  });
}

/** Judges answers. Resolves to the number of malformed lines. */
export function judgeJsonl(
  sandbox: Sandbox,
  input: Readable,
  output: Writable,
  errors: Writable,
): Promise<number> {
  return stream(input, output, errors, judgeItemOf, async (lines) => {
    const { verdicts } = await judgeMany(
      sandbox,
      lines.map(({ item }) => item),
    );
    return verdicts.map(({ correct, accuracy, reason }, i) => ({
      id: lines[i]?.id,
      correct,
      accuracy,
      reason,
    }));
  });
}

/**
 * Reads objects with an id, answers them in order: in groups, and whenever the input pauses. Resolves to the number of
 * malformed lines.
 */
export async function stream<T>(
  input: Readable,
  output: Writable,
  errors: Writable,
  read: (value: Record<string, unknown>) => T,
  answer: (lines: readonly Line<T>[]) => Promise<readonly unknown[]>,
): Promise<number> {
  let malformed = 0;
  let waiting: Line<T>[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const lines = waiting;
    waiting = [];
    bytes = 0;
    for (const result of await answer(lines)) await write(output, `${JSON.stringify(result)}\n`);
  };
  const lines = linesOf(input);
  let next = lines.next();
  for (;;) {
    if (waiting.length > 0 && !(await comesSoon(next))) await flush();
    const step = await next;
    if (step.done === true) break;
    next = lines.next();
    // It is awaited, and fails there, once this line is dealt with.
    next.catch(() => undefined);
    const { number, text } = step.value;
    if (text !== undefined && text.trim() === '') continue;
    try {
      if (text === undefined) throw new RangeError(`the line is longer than ${MAX_LINE_BYTES} bytes`);
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new TypeError('no JSON object');
      const record = value as Record<string, unknown>;
      const id = record['id'];
      if (typeof id !== 'string' && typeof id !== 'number')
        throw new TypeError(
          `id is ${id === undefined ? 'missing' : JSON.stringify(id)}; accepted is a text or a number`,
        );
      waiting.push({ id, item: read({ ...record, id: String(id) }) });
      bytes += text.length;
    } catch (error) {
      malformed++;
      await write(errors, `line ${number}: ${(error as Error).message.slice(0, 300)}\n`);
    }
    if (waiting.length >= LINES_TOGETHER || bytes >= BYTES_TOGETHER) await flush();
  }
  await flush();
  return malformed;
}

/** Whether a promise is settled before the input counts as quiet. */
async function comesSoon(promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, sleep(QUIET_MS, false, { signal: timer.signal }).catch(() => false)]);
  } finally {
    timer.abort();
  }
}

/** Lines with their numbers from 1; undefined for the text of one that is too long. Invalid UTF-8 becomes U+FFFD. */
async function* linesOf(input: Readable): AsyncGenerator<{ number: number; text: string | undefined }> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 1;
  const take = (): { number: number; text: string | undefined } => {
    const text = size > MAX_LINE_BYTES ? undefined : Buffer.concat(parts).toString('utf8');
    parts = [];
    size = 0;
    return { number: number++, text };
  };
  const add = (part: Buffer): void => {
    size += part.length;
    if (size <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  for await (const chunk of input) {
    const data = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : (chunk as Buffer);
    let at = 0;
    for (let end = data.indexOf(10); end !== -1; end = data.indexOf(10, at)) {
      add(data.subarray(at, end));
      yield take();
      at = end + 1;
    }
    if (at < data.length) add(data.subarray(at));
  }
  if (size > 0) yield take();
}

async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

function executionOf(value: Record<string, unknown>): ExecutionRequest {
  const { id, code, inputs, limits } = value;
  if (typeof code !== 'string')
    throw new TypeError('code is no text; accepted is the text of a program that defines f');
  if (!Array.isArray(inputs) || inputs.some((input) => typeof input !== 'string'))
    throw new TypeError('inputs is no list of texts; accepted is e.g. ["1, 2", "\'a\', 3"]');
  if (inputs.length > MAX_INPUTS)
    throw new RangeError(`inputs has ${inputs.length} texts; accepted are up to ${MAX_INPUTS}`);
  const request = { id: id as string, code, inputs: inputs as string[] };
  if (limits === undefined || limits === null) return request;
  if (typeof limits !== 'object')
    throw new TypeError('limits is no object; accepted is {cpuMs?, memoryMiB?, resultBytes?}');
  for (const name of Object.keys(limits))
    if (!['cpuMs', 'memoryMiB', 'resultBytes'].includes(name))
      throw new TypeError(`limits.${name} is unknown; accepted are cpuMs, memoryMiB and resultBytes`);
  return { ...request, limits: resolveLimits(limits) };
}

function judgeItemOf(value: Record<string, unknown>): JudgeItem {
  const { id, kind, code, input, output, answer, pairs } = value;
  const item = {
    id,
    kind,
    code,
    answer,
    ...(typeof input === 'string' ? { input } : {}),
    ...(output === undefined || output === null ? {} : { output }),
    ...(pairs === undefined || pairs === null ? {} : { pairs }),
  } as JudgeItem;
  checkItem(item);
  return item;
}

function answerOf(id: unknown, result: ExecutionResult): unknown {
  return {
    id,
    results: result.outcomes.map(resultOf),
    deterministic: result.deterministic,
    cpuMs: result.cpuMicros / 1000,
  };
}

function resultOf(outcome: Outcome): unknown {
  switch (outcome.kind) {
    case 'value':
      return { outcome: 'value', value: outcome.text };
    case 'raised':
      return { outcome: 'raised', error: outcome.error, message: outcome.message };
    case 'killed':
      return { outcome: 'killed', error: `signal ${outcome.signal}` };
    case 'not-literal':
      return { outcome: 'not-literal', error: outcome.type };
    case 'refused':
      return { outcome: 'refused', error: outcome.reason };
    case 'timeout':
    case 'memory':
    case 'too-large':
    case 'nan':
    case 'nondeterministic':
    case 'no-result':
      return { outcome: outcome.kind };
  }
}
