/**
 * What a run starts from: the rows of its seed files, or the built-in identity task where it was given none.
 *
 * A row is run under several seeds before it is used; a pair serves deduction and abduction alike. A policy over a domain
 * of its own (tiny) cannot take rows from outside of it: those are verified like the others, and refused with a reason of
 * their own. Deviation: the published code plants the identity task beside any file, and uses rows as they are.
 */
import { idOf } from '../coordinates.js';
import { isHeldOutText } from '../policy/tiny/generator.js';
import { HELD_OUT_REASON } from '../reward/iteration-rewards.js';
import { parseSeedRows, type SeedRow } from '../tasks/seed-rows.js';
import type { TaskKind } from '../tasks/types.js';
import type { SandboxSteps } from '../../workflows/steps.js';
import type { SandboxDependencies } from './dependencies.js';
import { dataOf } from './facts.js';
import { withHeartbeat } from './heartbeat.js';
import { unproposedTask } from './unproposed-facts.js';
import { judgeSeedRows, seedRejection } from './verify-seeds.js';

export const OUTSIDE_DOMAIN_REASON = 'outside-domain';

export function makePlantSeeds(dependencies: SandboxDependencies): SandboxSteps['plantSeeds'] {
  const { log, configs, sandbox, codec, codeVersion } = dependencies;
  return (run, seeds) =>
    withHeartbeat(async () => {
      const config = await configs.of(run);
      const origin = { runId: run.runId, iteration: 0, policyVersion: null, codeVersion };
      const given =
        seeds === null
          ? [{ fileName: 'built-in', fileDigest: 'built-in', row: IDENTITY }].filter(({ row }) =>
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
      for (const [i, { id, row, fate }] of fates.entries()) {
        const refusal = fate.ok ? unfitFor(codec, row, fate.outputs) : fate;
        if (refusal !== undefined) {
          const { reason, detail } = refusal;
          reasons[reason] = (reasons[reason] ?? 0) + 1;
          events.push(seedRejection(origin, id, row, rows[i]?.fileName ?? '', reason, detail));
          continue;
        }
        if (!fate.ok) continue;
        const { line: index, code, originalCode, inputs, message, imports } = row;
        const content = { index, code, originalCode, inputs, outputs: fate.outputs, message, imports };
        const kinds: readonly TaskKind[] =
          row.kind === 'induction' ? ['induction'] : ['deduction', 'abduction'];
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

/** The published built-in task. */
const IDENTITY: SeedRow = {
  line: 1,
  kind: 'deduction',
  code: 'def f(a):\n    return a',
  originalCode: 'def f(a):\n    return a',
  inputs: ["'Hello world'"],
  outputs: ["'Hello world'"],
  message: null,
  imports: [],
};

function unfitFor(
  codec: SandboxDependencies['codec'],
  row: SeedRow,
  outputs: readonly string[],
): { readonly reason: string; readonly detail: string } | undefined {
  if (!codec.expresses({ ...row, outputs }))
    return { reason: OUTSIDE_DOMAIN_REASON, detail: 'the policy has no words for it' };
  if (row.inputs.some((input) => isHeldOutText(row.code, input)))
    return { reason: HELD_OUT_REASON, detail: 'belongs to the evaluation' };
  return undefined;
}
