/**
 * A published seed file, row by row: run in the sandbox under several seeds, compared with the stored output by value,
 * and recorded as TaskAccepted or TaskRejected with the reason. Nothing is silently used.
 *
 * The run is named after the file's content, so verifying the same file again adds nothing to the log.
 */
import { createHash } from 'node:crypto';
import type { EventLog } from '../../pipelines/event-log.js';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { idOf } from '../coordinates.js';
import { equalLiterals, validateProposals, type ValidateOptions } from '../sandbox/index.js';
import type { Sandbox } from '../sandbox/port.js';
import { parseSeedRows, type SeedRow } from '../tasks/seed-rows.js';
import { executionFact } from './execution-fact.js';
import type { FactOrigin } from './facts.js';
import { unproposedRejection, unproposedTask } from './unproposed-facts.js';

export interface SeedReport {
  readonly runId: string;
  /** Rows that could be read. */
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Rejected rows by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Lines that are no rows. */
  readonly broken: readonly { readonly line: number; readonly error: string }[];
}

export async function verifySeeds(
  dependencies: { readonly log: EventLog; readonly sandbox: Sandbox; readonly codeVersion: string },
  name: string,
  text: string,
): Promise<SeedReport> {
  const { log, sandbox, codeVersion } = dependencies;
  const { rows, broken } = parseSeedRows(text);
  const runId = `seeds-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  const origin: FactOrigin = { runId, iteration: 0, policyVersion: null, codeVersion };
  const { fates, events } = await judgeSeedRows(
    sandbox,
    rows.map((row) => ({ id: seedId(runId, row), row })),
    origin,
  );
  const reasons: Record<string, number> = {};
  for (const { id, row, fate } of fates) {
    const { kind, line: index, code, originalCode, inputs, message, imports } = row;
    if (fate.ok) {
      const task = { origin: 'seed', kind, index, code, originalCode, inputs, message, imports } as const;
      events.push(unproposedTask(origin, id, { ...task, outputs: fate.outputs }));
      continue;
    }
    const { reason, detail } = fate;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    events.push(seedRejection(origin, id, row, name, reason, detail));
  }
  await log.append(events, {});
  const rejected = Object.values(reasons).reduce((sum, count) => sum + count, 0);
  return { runId, rows: rows.length, accepted: rows.length - rejected, rejected, reasons, broken };
}

export type SeedFate =
  | { readonly ok: true; /** The program's, under several seeds. */ readonly outputs: readonly string[] }
  | { readonly ok: false; readonly reason: string; readonly detail: string };

export interface JudgedSeedRow {
  readonly id: string;
  readonly row: SeedRow;
  readonly fate: SeedFate;
}

/** Runs each row and holds what it stores against what its program gives. @returns the facts of the executions too. */
export async function judgeSeedRows(
  sandbox: Sandbox,
  rows: readonly { readonly id: string; readonly row: SeedRow }[],
  origin: FactOrigin,
  options: ValidateOptions = {},
): Promise<{ readonly fates: readonly JudgedSeedRow[]; readonly events: AzrEvent[] }> {
  const { results, executions } = await validateProposals(
    sandbox,
    rows.map(({ id, row }) => ({ id, code: row.code, inputs: row.inputs })),
    options,
  );
  const events: AzrEvent[] = executions.map(({ request, result }) =>
    executionFact(origin, 'seed', request.id, request, result, sandbox.interpreter),
  );
  const fates = rows.map(({ id, row }, i): JudgedSeedRow => {
    const result = results[i];
    if (result === undefined) throw new Error(`no result for seed row ${id}`);
    if (!result.ok) return { id, row, fate: result };
    const refusal = storedOutputRefusal(row, result.outputs);
    return { id, row, fate: refusal === undefined ? result : { ok: false, ...refusal } };
  });
  return { fates, events };
}

export function seedRejection(
  origin: FactOrigin,
  subjectId: string,
  row: SeedRow,
  fileName: string,
  reason: string,
  detail: string,
): AzrEvent {
  return unproposedRejection(origin, subjectId, {
    origin: 'seed',
    kind: row.kind,
    index: row.line,
    reason,
    detail: `${fileName}, line ${row.line}: ${detail}`,
    code: row.code,
    sourceLine: row.line,
  });
}

const seedId = (runId: string, row: SeedRow): string => idOf(runId, 'seed', row.line);

/** Why a row whose program runs is still refused: what it stores is not what the program gives. */
function storedOutputRefusal(
  row: SeedRow,
  outputs: readonly string[],
): { reason: string; detail: string } | undefined {
  for (const [i, stored] of row.outputs.entries()) {
    const actual = outputs[i] ?? '';
    if (stored.trim() === '')
      return { reason: 'stored-output-empty', detail: `pair ${i + 1} stores no output` };
    if (equalLiterals(stored, actual)) continue;
    // The published executor cuts outputs of more than 400 characters in the middle.
    const reason =
      stored.length > 400 && stored.includes('...') ? 'stored-output-truncated' : 'stored-output-differs';
    return { reason, detail: `pair ${i + 1} stores ${clip(stored)}, the program gives ${clip(actual)}` };
  }
  return undefined;
}

const clip = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}...` : text);
