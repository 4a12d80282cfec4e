/** Samples many prompts in chunks, each recorded before the next: what a dead worker had finished is kept. */
import type { AzrEvent, Finish } from '../../schemas/generated/events.js';
import type { CheckpointRef, PolicyEngine, Sample, SampleRequest, TokenTexts } from '../policy/port.js';

/** Large enough to keep the sampler's batch full, small enough to lose little. */
const CHUNK_REQUESTS = 4096;

/** As the log says it: a stop string ends an answer as the end token does. */
export const finishOf = ({ finish }: Sample): Finish => (finish === 'length' ? 'length' : 'end');

export interface Planned<T> {
  readonly item: T;
  /** Attempts at the same prompt. */
  readonly requests: readonly SampleRequest[];
}

export async function sampleInChunks<T>(
  engine: PolicyEngine,
  checkpoint: CheckpointRef,
  planned: readonly Planned<T>[],
  toEvent: (item: T, samples: readonly Sample[]) => AzrEvent,
  record: (events: readonly AzrEvent[]) => Promise<void>,
  options: {
    readonly signal: AbortSignal;
    readonly report: (detail: unknown) => void;
    /** Needed by requests with stop strings. */
    readonly tokenTexts: TokenTexts | undefined;
  },
): Promise<AzrEvent[]> {
  const all: AzrEvent[] = [];
  const chunks = chunked(planned);
  for (const [number, chunk] of chunks.entries()) {
    const samples = await engine.sample(
      checkpoint,
      chunk.flatMap(({ requests }) => requests),
      {
        signal: options.signal,
        onProgress: (tokens) => options.report({ tokens, number }),
        ...(options.tokenTexts === undefined ? {} : { tokenTexts: options.tokenTexts }),
      },
    );
    let at = 0;
    const events = chunk.map(({ item, requests }) => {
      const mine = samples.slice(at, at + requests.length);
      at += requests.length;
      return toEvent(item, mine);
    });
    // The last chunk is recorded by the caller, together with its reference.
    if (number < chunks.length - 1) await record(events);
    all.push(...events);
  }
  return all;
}

function chunked<T>(planned: readonly Planned<T>[]): Planned<T>[][] {
  const chunks: Planned<T>[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const plan of planned) {
    if (size + plan.requests.length > CHUNK_REQUESTS) {
      chunks.push([]);
      size = 0;
    }
    chunks.at(-1)?.push(plan);
    size += plan.requests.length;
  }
  return chunks;
}
