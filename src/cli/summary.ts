/** The summary of a run: held-out scores before and after with intervals, the curve, newest tasks, what to try next. */
import { runSql, savedQuery, waitUntilProjected } from '../../pipelines/sql.js';
import type { ServiceAddresses } from '../config/addresses.js';
import { wilson } from '../evaluation/wilson.js';
import { say, table } from './output.js';

interface ScoreRow {
  readonly iteration: number;
  readonly kind: string;
  readonly bucket: string;
  readonly count: number;
  readonly correct: number;
}

export async function printSummary(addresses: ServiceAddresses, runId: string): Promise<void> {
  await waitUntilProjected(addresses, { timeoutMs: 60_000 });
  const id = quote(runId);
  const rows = async <T>(query: string): Promise<T[]> =>
    JSON.parse((await runSql(addresses, query, 'json')).toString('utf8')) as T[];
  const scores = await rows<ScoreRow>(
    `select toUInt32(iteration) as iteration, kind, bucket, toUInt32(count) as count, toUInt32(correct) as correct
     from evaluations where run_id = ${id} order by iteration, kind, bucket`,
  );
  const points = [...new Set(scores.map((row) => row.iteration))];
  const [first, last] = [points[0], points.at(-1)];
  say('');
  if (first === undefined || last === undefined) say(`run ${runId} has no evaluation yet`);
  else {
    say(`Held-out tasks, never seen in a prompt or a batch (95 % Wilson intervals):`);
    say(
      table(
        ['deduction', 'abduction', 'induction', 'all'].map((kind) => scoreRow(scores, kind, first, last)),
      ),
    );
    say('');
    say(table(bucketRows(scores, first, last)));
    say('');
    say('Held-out accuracy by iteration:');
    for (const line of curve(scores, points)) say(line);
  }
  const seeds = await rows<{ file_name: string; fate: string; rows: number }>(
    (await savedQuery('seed-rows')).replaceAll('{run:String}', id),
  );
  if (seeds.length > 0) {
    say('\nRows of the seed files, verified in the sandbox before use:');
    say(table(seeds.map(({ file_name, fate, rows: count }) => ({ file: file_name, fate, rows: count }))));
  }
  const [totals] = await rows<{ iterations: number; samples: number; tasks: number; seconds: number }>(
    `select toUInt32(count()) as iterations, toUInt64(sum(proposals) + sum(solutions)) as samples,
            toUInt64(sum(accepted)) as tasks, toFloat64(sum(duration_ms) / 1000) as seconds
     from iterations where run_id = ${id}`,
  );
  if (totals !== undefined && totals.iterations > 0)
    say(
      `\n${totals.iterations} iterations, ${totals.samples} samples, ${totals.tasks} tasks accepted, ${totals.seconds.toFixed(0)} s of self-play (${(Number(totals.samples) / Math.max(1, totals.seconds)).toFixed(0)} samples a second)`,
    );
  const newest = await rows<{
    kind: string;
    code: string;
    input: string;
    output: string;
    solve_rate: number;
  }>(
    `select kind, code, inputs[1] as input, outputs[1] as output, solve_rate
     from task_history where run_id = ${id} order by iteration desc, task_id limit 3`,
  );
  if (newest.length > 0) {
    say('\nNewest tasks:');
    for (const task of newest) {
      say(`  ${task.kind}, solved in ${(100 * Number(task.solve_rate)).toFixed(0)} % of attempts:`);
      for (const line of task.code.split('\n')) say(`    ${line}`);
      say(`    f(${task.input}) == ${task.output}`);
    }
  }
  say(`
Next:
  npx azr sql "select kind, count() from task_history where run_id = '${runId}' group by kind"
  npx azr sql --list
  npx azr replay ${runId} --from 1 --to 1
  npx azr runs
  npx azr down`);
}

function quote(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
}

function total(
  scores: readonly ScoreRow[],
  iteration: number,
  keep: (row: ScoreRow) => boolean,
): [number, number] {
  const mine = scores.filter((row) => row.iteration === iteration && keep(row));
  return [mine.reduce((sum, row) => sum + row.correct, 0), mine.reduce((sum, row) => sum + row.count, 0)];
}

function scoreRow(
  scores: readonly ScoreRow[],
  kind: string,
  first: number,
  last: number,
): Record<string, string> {
  const keep = (row: ScoreRow): boolean => kind === 'all' || row.kind === kind;
  const [before, after] = [total(scores, first, keep), total(scores, last, keep)];
  return {
    kind,
    before: intervalText(...before),
    after: intervalText(...after),
    change: `${signed(100 * (after[0] / after[1] - before[0] / before[1]))} points`,
  };
}

function bucketRows(scores: readonly ScoreRow[], first: number, last: number): Record<string, string>[] {
  const keys = [...new Set(scores.map((row) => `${row.kind}\u0000${row.bucket}`))];
  return keys.map((key) => {
    const [kind, bucket] = key.split('\u0000');
    const keep = (row: ScoreRow): boolean => row.kind === kind && row.bucket === bucket;
    return {
      kind: kind ?? '',
      bucket: bucket ?? '',
      before: intervalText(...total(scores, first, keep)),
      after: intervalText(...total(scores, last, keep)),
    };
  });
}

function intervalText(correct: number, count: number): string {
  const { estimate, low, high } = wilson(correct, count);
  return `${(100 * estimate).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

const signed = (x: number): string => `${x >= 0 ? '+' : ''}${x.toFixed(1)}`;

function curve(scores: readonly ScoreRow[], points: readonly number[]): string[] {
  const WIDTH = 40;
  return points.map((iteration) => {
    const parts = ['deduction', 'abduction', 'induction'].map((kind) => {
      const [correct, count] = total(scores, iteration, (row) => row.kind === kind);
      return `${kind} ${((100 * correct) / Math.max(1, count)).toFixed(0).padStart(3)} %`;
    });
    const [correct, count] = total(scores, iteration, () => true);
    const filled = Math.round((WIDTH * correct) / Math.max(1, count));
    return `  ${String(iteration).padStart(4)} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${parts.join('  ')}`;
  });
}
