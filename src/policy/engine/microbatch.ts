/** Learner rows as the tensors of microbatches: which rows go together, padded, completion tokens picked out. */
import type { LearnRow, ModelSpec } from '../port.js';
import { checkTokens, grammarStates } from './grammar-states.js';
import type { MicrobatchTensors } from './learner-graph.js';
import type { Native, NativeTensor } from './native.js';

/** What a run of the gradient program costs beside its tokens, in tokens: measured on two cores. */
const CALL_COST = 150;

/**
 * Cuts rows into microbatches of at most `maxRows`, rows of like length together, such that padding and calls cost least.
 *
 * With lengths in falling order a microbatch costs CALL_COST + rows * its first length; the best cuts come from dynamic
 * programming over the distinct lengths. A microbatch of more than `maxRows` rows is cut again.
 *
 * @returns indices into `lengths`, by microbatch.
 */
export function planMicrobatches(lengths: readonly number[], maxRows: number): number[][] {
  if (!Number.isInteger(maxRows) || maxRows < 1)
    throw new RangeError(`microbatchRows is ${maxRows}; accepted are integers from 1`);
  const order = lengths
    .map((_, index) => index)
    .sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  // starts[i]: where the i-th longest distinct length begins in `order`.
  const starts: number[] = [];
  order.forEach((row, at) => {
    if (at === 0 || lengths[row] !== lengths[order[at - 1] ?? 0]) starts.push(at);
  });
  const count = starts.length;
  starts.push(order.length);
  const best = new Array<number>(count + 1).fill(Number.POSITIVE_INFINITY);
  const from = new Array<number>(count + 1).fill(0);
  best[0] = 0;
  for (let end = 1; end <= count; end++)
    for (let begin = 0; begin < end; begin++) {
      const rows = (starts[end] ?? 0) - (starts[begin] ?? 0);
      const length = lengths[order[starts[begin] ?? 0] ?? 0] ?? 0;
      const cost = (best[begin] ?? 0) + Math.ceil(rows / maxRows) * CALL_COST + rows * length;
      if (cost < (best[end] ?? 0)) {
        best[end] = cost;
        from[end] = begin;
      }
    }
  const microbatches: number[][] = [];
  for (let end = count; end > 0; end = from[end] ?? 0) {
    const rows = order.slice(starts[from[end] ?? 0], starts[end]);
    for (let at = 0; at < rows.length; at += maxRows) microbatches.push(rows.slice(at, at + maxRows));
  }
  return microbatches;
}

/** @throws RangeError for a row that the model cannot take, with its id. */
export function checkRow(spec: ModelSpec, row: LearnRow, needsLogProbs: boolean): void {
  if (row.prompt.length === 0)
    throw new RangeError(`prompt of row ${row.id} is empty; at least one token is needed`);
  if (row.completion.length === 0)
    throw new RangeError(`completion of row ${row.id} is empty; at least one token is needed`);
  const length = row.prompt.length + row.completion.length;
  if (length > spec.context)
    throw new RangeError(`row ${row.id} has ${length} tokens; accepted are at most context, ${spec.context}`);
  if (needsLogProbs && row.logProbs.length !== row.completion.length)
    throw new RangeError(
      `row ${row.id} has ${row.logProbs.length} logProbs; accepted is one a completion token, ${row.completion.length}`,
    );
  if (row.mask !== undefined && row.mask.length !== row.completion.length)
    throw new RangeError(
      `mask of row ${row.id} has ${row.mask.length} entries; accepted is one a completion token, ${row.completion.length}`,
    );
  if (row.mask?.includes(true) === false)
    throw new RangeError(`mask of row ${row.id} has no token; at least one is needed`);
  if (!Number.isFinite(row.advantage))
    throw new RangeError(`advantage of row ${row.id} is ${row.advantage}; accepted are finite numbers`);
  checkTokens(spec, row.prompt, `row ${row.id}`);
  checkTokens(spec, row.completion, `row ${row.id}`);
}

/** How many of a row's tokens the loss is on. */
export const lossTokens = ({ completion, mask }: LearnRow): number =>
  mask === undefined ? completion.length : mask.filter(Boolean).length;

/** Tokens that a row puts through the model: its last one is a target only. */
export const inputLength = (row: LearnRow): number => row.prompt.length + row.completion.length - 1;

/** @param weights the loss weight of each of a row's tokens that the loss is on. */
export function microbatchTensors(
  native: Native,
  spec: ModelSpec,
  rows: readonly LearnRow[],
  weights: readonly number[],
  settings: NativeTensor,
): MicrobatchTensors {
  const n = rows.reduce((sum, row) => sum + lossTokens(row), 0);
  const length = Math.max(...rows.map(inputLength));
  const tokens = new Int32Array(rows.length * length).fill(spec.padToken);
  const inverse = new Int32Array(rows.length * length).fill(n);
  const [positions, targets, states] = [new Int32Array(n), new Int32Array(n), new Int32Array(n)];
  const [old, advantages, weight] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  let at = 0;
  rows.forEach((row, r) => {
    tokens.set(row.prompt, r * length);
    tokens.set(row.completion.slice(0, -1), r * length + row.prompt.length);
    const before = grammarStates(spec, row);
    row.completion.forEach((token, i) => {
      if (row.mask?.[i] === false) return;
      states[at] = before[i] ?? 0;
      const position = r * length + row.prompt.length + i - 1;
      positions[at] = position;
      inverse[position] = at;
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
    inverse: native.create(inverse, [rows.length * length]),
    targets: native.create(targets, [n]),
    states: native.create(states, [n]),
    oldLogProbs: native.create(old, [n]),
    advantages: native.create(advantages, [n]),
    weights: native.create(weight, [n]),
    settings,
  };
}
