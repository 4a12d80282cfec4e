/** The engine as a process of its own: TensorFlow blocks its thread, and heartbeats must not starve for it. */
import { openNative } from './engine/backend.js';
import { TensorflowEngine } from './engine/tensorflow-engine.js';
import type { EngineCall, EngineReply, EngineRequest } from './engine-protocol.js';
import type { LearnRow } from './port.js';

const send = (reply: EngineReply): void => {
  process.send?.(reply);
};

let engine: TensorflowEngine;
try {
  engine = new TensorflowEngine(Number(process.env['TF_NUM_INTRAOP_THREADS'] ?? '1'), await openNative());
  send({ type: 'ready', backend: engine.backend });
} catch (error) {
  send({ type: 'failed-to-start', message: (error as Error).message });
  process.exitCode = 1;
  process.disconnect();
}

const cancels = new Map<number, AbortController>();
const batches = new Map<number, (rows: readonly LearnRow[] | null) => void>();
/** One call at a time: TensorFlow's threads are the budget. */
let turn: Promise<void> = Promise.resolve();

process.on('message', (request: EngineRequest) => {
  switch (request.type) {
    case 'call': {
      const cancel = new AbortController();
      cancels.set(request.id, cancel);
      turn = turn.then(() => serve(request.id, request.call, cancel.signal));
      break;
    }
    case 'cancel':
      cancels.get(request.id)?.abort();
      break;
    case 'batch':
      batches.get(request.id)?.(request.rows);
      break;
  }
});
// A Ctrl-C in the terminal reaches the whole group: the owner decides, and lets the call at hand end first.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
// The owner is gone, however it went.
process.on('disconnect', () => process.exit(0));

async function serve(id: number, call: EngineCall, signal: AbortSignal): Promise<void> {
  const onProgress = (...values: readonly number[]): void => send({ type: 'progress', id, values });
  try {
    signal.throwIfAborted();
    send({ type: 'result', id, value: await carryOut(id, call, signal, onProgress) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
    send({ type: 'error', id, name, message });
  } finally {
    cancels.delete(id);
  }
}

function carryOut(
  id: number,
  call: EngineCall,
  signal: AbortSignal,
  onProgress: (...values: readonly number[]) => void,
): Promise<unknown> {
  switch (call.kind) {
    case 'initialise':
      return engine.initialise(call.spec, call.seed, call.folder);
    case 'import':
      return engine.importModel(call.source, call.folder, call.adapters);
    case 'sample':
      return engine.sample(call.checkpoint, call.requests, {
        signal,
        onProgress,
        ...(call.tokenTexts === undefined ? {} : { tokenTexts: call.tokenTexts }),
        ...(call.streams
          ? { onTokens: (sample, tokens) => send({ type: 'tokens', id, sample, tokens }) }
          : {}),
      });
    case 'learn':
      return engine.learn(call.parent, call.rows, call.config, call.folder, {
        signal,
        onProgress,
        ...(call.reference === undefined ? {} : { reference: call.reference }),
      });
    case 'imitate':
      return engine.imitate(call.parent, incoming(id), call.config, call.folder, { signal, onProgress });
  }
}

/** Batches as the owner sends them: one is on its way while one is worked on. */
async function* incoming(id: number): AsyncGenerator<readonly LearnRow[]> {
  const ask = (): Promise<readonly LearnRow[] | null> => {
    const next = new Promise<readonly LearnRow[] | null>((resolve) => batches.set(id, resolve));
    send({ type: 'want-batch', id });
    return next;
  };
  try {
    let next = ask();
    for (;;) {
      const rows = await next;
      if (rows === null) return;
      next = ask();
      yield rows;
    }
  } finally {
    batches.delete(id);
  }
}
