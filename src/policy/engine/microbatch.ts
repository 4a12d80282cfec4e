/** Learner rows as the tensors of one microbatch: padded to a bucket of length, completion tokens picked out. */
import type { LearnRow, ModelSpec } from '../port.js';
import type { MicrobatchTensors } from './learner-graph.js';
import type { Native, NativeTensor } from './native.js';

/** Lengths that graphs are built for: a row pays for at most the next multiple. */
const LENGTH_STEP = 16;

export function bucketLength(tokens: number, spec: ModelSpec): number {
  const bucket = Math.min(Math.ceil(tokens / LENGTH_STEP) * LENGTH_STEP, spec.context);
  if (tokens > bucket) throw new RangeError(`a row has ${tokens} tokens; accepted are at most context, ${spec.context}`);
  return bucket;
}

/** The grammar's state before each completion token. @throws RangeError for a token that the grammar does not allow. */
export function grammarStates(spec: ModelSpec, row: Pick<LearnRow, 'id' | 'grammar' | 'completion'>): Int32Array {
  const states = new Int32Array(row.completion.length);
  if (spec.grammar === undefined) return states;
  const { grammar } = spec;
  let state = startState(spec, row.grammar, row.id);
  row.completion.forEach((token, i) => {
    states[i] = state;
    if (grammar.allowed[state * grammar.vocabulary + token] !== 1)
      throw new RangeError(`row ${row.id}: token ${token} at place ${i} is not allowed by the grammar ${row.grammar ?? ''}`);
    state = grammar.next[state * grammar.vocabulary + token] ?? 0;
  });
  return states;
}

export function startState(spec: ModelSpec, name: string | undefined, id: string): number {
  if (spec.grammar === undefined) return 0;
  const state = name === undefined ? undefined : spec.grammar.start[name];
  if (state === undefined)
    throw new RangeError(
      `grammar of ${id} is ${JSON.stringify(name)}; accepted are ${Object.keys(spec.grammar.start).join(', ')}`,
    );
  return state;
}

/** @param weights the loss weight of each of a row's completion tokens. */
export function microbatch(
  native: Native,
  spec: ModelSpec,
  rows: readonly LearnRow[],
  weights: readonly number[],
  length: number,
  settings: NativeTensor,
): MicrobatchTensors {
  const n = rows.reduce((sum, row) => sum + row.completion.length, 0);
  const tokens = new Int32Array(rows.length * length).fill(spec.padToken);
  const [positions, targets, states] = [new Int32Array(n), new Int32Array(n), new Int32Array(n)];
  const [old, advantages, weight] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  let at = 0;
  rows.forEach((row, r) => {
    tokens.set(row.prompt, r * length);
    tokens.set(row.completion, r * length + row.prompt.length);
    states.set(grammarStates(spec, row), at);
    row.completion.forEach((token, i) => {
      positions[at] = r * length + row.prompt.length + i - 1;
      targets[at] = token;
      old[at] = row.logProbs[i] ?? 0;
      advantages[at] = row.advantage;
      weight[at] = weights[r] ?? 0;
      at += 1;
    });
  });
  return {
    tokens: native.create(tokens, [rows.length, length]),
    positions: native.create(positions, [n]),
    targets: native.create(targets, [n]),
    states: native.create(states, [n]),
    oldLogProbs: native.create(old, [n]),
    advantages: native.create(advantages, [n]),
    weights: native.create(weight, [n]),
    settings,
  };
}
