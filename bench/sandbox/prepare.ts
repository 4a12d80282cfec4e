/**
 * A workload as self-play would see it: tasks are what validation accepts, with the outputs it found.
 *
 * What takes long or runs into a limit is left out (proposals) or replaced by right answers: the time of one loop over a
 * large number would otherwise be most of either way's, and the comparison one of luck. It would favour ours, whose
 * limit is a fifth of the published one. The number is reported.
 */
import {
  createSandbox,
  judgeMany,
  validateProposals,
  type JudgeItem,
  type Sandbox,
} from '../../src/sandbox/index.js';
import { retold } from './answers.js';
import { makeWorkload, type Programs, type Row, type Workload } from './workload.js';

/** Longest CPU time of one input, in milliseconds: some fifty times the price of a run. */
const LONGEST = { cpuMs: 50 };
const LIMITS: ReadonlySet<string> = new Set(['timeout', 'memory', 'killed', 'too-large', 'no-result']);

/** Rows that validation accepts, with its outputs, by program. */
async function accepted(sandbox: Sandbox, rows: readonly Row[]): Promise<ReadonlyMap<string, Row>> {
  const { results } = await validateProposals(
    sandbox,
    rows.map(({ code, inputs }, i) => ({ id: String(i), code, inputs })),
    { limits: LONGEST },
  );
  const found = new Map<string, Row>();
  rows.forEach((row, i) => {
    const result = results[i];
    if (result?.ok === true) found.set(row.code, { ...row, outputs: result.outputs });
  });
  return found;
}

function rightAnswer(item: JudgeItem): string {
  if (item.kind === 'induction') return retold(item.code, `${item.id} again`);
  return `${(item.kind === 'abduction' ? item.input : item.output) ?? ''} `;
}

export async function prepareWorkload(
  programs: Programs,
  seed: number,
  workers: number,
): Promise<{ readonly workload: Workload; readonly replaced: number }> {
  const sandbox = await createSandbox({ workers });
  try {
    const tasks = await accepted(sandbox, [...programs.single, ...programs.many]);
    const known = ({ single, many }: Programs): Programs => ({
      source: programs.source,
      single: single.map((row) => tasks.get(row.code) ?? row),
      many: many.map((row) => tasks.get(row.code) ?? row),
    });
    const drawn = makeWorkload(known(programs), (row) => tasks.has(row.code), seed);
    let replaced = 0;
    const mended = async (items: readonly JudgeItem[]): Promise<readonly JudgeItem[]> => {
      const { executions } = await judgeMany(sandbox, items, { limits: LONGEST });
      const slow = new Set(
        executions
          .filter(({ result }) => result.outcomes.some(({ kind }) => LIMITS.has(kind)))
          .map(({ request }) => request.code),
      );
      return items.map((item) => {
        if (!slow.has(item.kind === 'induction' ? item.answer : item.code)) return item;
        replaced++;
        return { ...item, answer: rightAnswer(item) };
      });
    };
    const quick = await validateProposals(sandbox, drawn.validation, { limits: LONGEST });
    const validation = drawn.validation.filter((_, i) => {
      const result = quick.results[i];
      const slow = result?.ok === false && LIMITS.has(result.reason);
      if (slow) replaced++;
      return !slow;
    });
    return {
      workload: {
        validation,
        abduction: await mended(drawn.abduction),
        deduction: drawn.deduction,
        induction: await mended(drawn.induction),
      },
      replaced,
    };
  } finally {
    await sandbox.close();
  }
}
