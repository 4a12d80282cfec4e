/**
 * What a run starts from: the rows of its seed files, or the built-in identity task where it was given none.
 *
 * A row is run under several seeds before it is used; a pair serves deduction and abduction alike. A policy over a domain
 * of its own (tiny) cannot take rows from outside of it: those are verified like the others, and refused with a reason of
 * their own. Deviation: the published code uses rows as they are, and no more of a
 * file than its configuration counts.
 */
import {
  acceptTask,
  emptyBuffer,
  repeatReason,
  type RepeatPolicy,
  type TaskBuffer,
} from '../buffer/task-buffer.js';
import { idOf } from '../coordinates.js';
import type { PolicyCodec } from '../policy/codec.js';
import { isHeldOutText } from '../policy/tiny/generator.js';
import { HELD_OUT_REASON } from '../reward/iteration-rewards.js';
import { parseSeedRows, type SeedRow } from '../tasks/seed-rows.js';
import type { TaskKind } from '../tasks/types.js';
import type { SandboxSteps } from '../../workflows/steps.js';
import { bufferPolicy } from './buffer-view.js';
import type { SandboxDependencies } from './dependencies.js';
import { dataOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { unproposedTask } from './unproposed-facts.js';
import { judgeSeedRows, seedRejection } from './verify-seeds.js';

export const OUTSIDE_DOMAIN_REASON = 'outside-domain';
export const KIND_REASON = 'kind-not-in-run';

interface Refusal {
  readonly reason: string;
  readonly detail: string;
}

export function makePlantSeeds(dependencies: SandboxDependencies): SandboxSteps['plantSeeds'] {
  const { log, configs, sandbox, codecs, codeVersion } = dependencies;
  return (run, seeds) =>
    withHeartbeat(async () => {
      const config = await configs.of(run);
      const codec = await codecs.of(config);
      const origin = { runId: run.runId, iteration: 0, policyVersion: null, codeVersion };
      const given =
        seeds === null
          ? IDENTITY.map((row) => ({ fileName: 'built-in', fileDigest: 'built-in', row })).filter(({ row }) =>
              codec.expresses(row),
            )
          : dataOf(await log.read(seeds), 'SeedRowRead').flatMap(({ fileName, fileDigest, line, rowJson }) =>
              parseSeedRows(rowJson).rows.map((row) => ({ fileName, fileDigest, row: { ...row, line } })),
            );
      const rows = given.map((item) => ({
        ...item,
        id: idOf(run.runId, 'seed', item.fileDigest, item.row.line),
      }));
      const { fates, events } = await judgeSeedRows(sandbox, rows, origin, { policy: config.sandbox.policy });
      const reasons: Record<string, number> = {};
      // Rows of one kind stand for the tasks made of them: a pair makes one of each of its kinds.
      const used = emptyBuffer();
      for (const [i, { id, row, fate }] of fates.entries()) {
        const kinds = (row.kind === 'induction' ? INDUCTION : PAIR).filter((kind) =>
          config.propose.kinds.includes(kind),
        );
        const refusal = fate.ok
          ? (unfitFor(codec, row, fate.outputs, kinds) ?? repeated(used, row, config.buffer))
          : fate;
        if (refusal !== undefined) {
          const { reason, detail } = refusal;
          reasons[reason] = (reasons[reason] ?? 0) + 1;
          events.push(seedRejection(origin, id, row, rows[i]?.fileName ?? '', reason, detail));
          continue;
        }
        if (!fate.ok) continue;
        const { line: index, code, originalCode, inputs, message, imports } = row;
        const content = { index, code, originalCode, inputs, outputs: fate.outputs, message, imports };
        acceptTask(
          used,
          { ...row, taskId: id, outputs: fate.outputs, iteration: 0 },
          bufferPolicy({ ...config, buffer: { ...config.buffer, maxTasks: rows.length } }),
        );
        for (const kind of kinds)
          events.push(
            unproposedTask(origin, idOf(id, kind), {
              ...content,
              kind,
              origin: seeds === null ? 'builtin' : 'seed',
            }),
          );
      }
      if (events.length > 0) await log.append(events, run.startOffsets);
      const refused = Object.values(reasons).reduce((sum, count) => sum + count, 0);
      return { rows: rows.length, accepted: rows.length - refused, reasons };
    });
}

const PAIR: readonly TaskKind[] = ['deduction', 'abduction'];
const INDUCTION: readonly TaskKind[] = ['induction'];

const IDENTITY_CODE = 'def f(a):\n    return a';
/** Values of several types; of the identity, inputs and outputs alike. */
const IDENTITY_VALUES = [
  "'Hello world'",
  '1',
  "{'a': 1, 'b': 2}",
  '(1.1, 1.2, 1.3)',
  "'[[1, 0, 0], [0, 0, 0], [0, 0, 0]]'",
  '1001101100010001',
];

/** The published built-in tasks: the identity with one input, and with six for induction. */
const IDENTITY: readonly SeedRow[] = [
  identityRow(1, 'deduction', IDENTITY_VALUES.slice(0, 1), null),
  identityRow(2, 'induction', IDENTITY_VALUES, 'The program gives back what it is given.'),
];

function identityRow(
  line: number,
  kind: TaskKind,
  values: readonly string[],
  message: string | null,
): SeedRow {
  const code = { code: IDENTITY_CODE, originalCode: IDENTITY_CODE, imports: [] };
  return { line, kind, ...code, inputs: values, outputs: values, message };
}

function unfitFor(
  codec: PolicyCodec,
  row: SeedRow,
  outputs: readonly string[],
  kinds: readonly TaskKind[],
): Refusal | undefined {
  if (kinds.length === 0)
    return { reason: KIND_REASON, detail: `no task of ${row.kind} is proposed or solved in this run` };
  if (!codec.expresses({ ...row, outputs }))
    return { reason: OUTSIDE_DOMAIN_REASON, detail: 'the policy has no words for it' };
  if (row.inputs.some((input) => isHeldOutText(row.code, input)))
    return { reason: HELD_OUT_REASON, detail: 'belongs to the evaluation' };
  return undefined;
}

/** The buffer's rules hold for seeds too (buffer.duplicates, buffer.maxTasksPerProgram). */
function repeated(used: TaskBuffer, row: SeedRow, policy: RepeatPolicy): Refusal | undefined {
  const reason = repeatReason(used, [], row, policy);
  return reason === undefined ? undefined : { reason, detail: 'rows before it are enough of it' };
}
