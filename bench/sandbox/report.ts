/** The numbers of a bench and how they are shown: an aligned table, Markdown, JSON. */
import { median } from '../median.js';
import type { ForkResult, WayResult } from './ways.js';
import { checksOf, PHASES, type Phase, type Workload } from './workload.js';

export interface StepRow {
  readonly phase: Phase | 'step';
  readonly checks: number;
  /** Seconds, medians over the rounds. */
  readonly published: { readonly wall: number; readonly cpu: number };
  readonly ours: { readonly wall: number; readonly cpu: number };
  /** How many times faster ours is in wall time. */
  readonly faster: number;
  /** Our CPU as a share of the published. */
  readonly cpuShare: number;
}

export interface ForkRow {
  readonly way: string;
  readonly perSecond: number;
  readonly cpuMillis: number;
}

/** Verdicts that differ, by phase, our reason and who says yes. */
export interface Disagreement {
  readonly phase: Phase;
  readonly ours: string;
  readonly published: boolean;
  readonly count: number;
  /** One of them, to look at. */
  readonly example: string;
}

export interface Target {
  readonly name: string;
  readonly wanted: string;
  readonly measured: number;
  readonly holds: boolean;
}

export function stepRows(
  workload: Workload,
  published: readonly WayResult[],
  ours: readonly WayResult[],
): StepRow[] {
  const row = (phase: Phase | 'step', of: readonly Phase[]): StepRow => {
    const cost = (rounds: readonly WayResult[], what: 'wall' | 'cpu'): number =>
      median(rounds.map(({ phases }) => of.reduce((sum, p) => sum + phases[p][what], 0)));
    const [a, b] = [published, ours].map((rounds) => ({
      wall: cost(rounds, 'wall'),
      cpu: cost(rounds, 'cpu'),
    })) as [StepRow['ours'], StepRow['ours']];
    return {
      phase,
      checks: of.reduce((sum, p) => sum + checksOf(workload, p), 0),
      published: a,
      ours: b,
      faster: a.wall / b.wall,
      cpuShare: b.cpu / a.cpu,
    };
  };
  return [...PHASES.map((phase) => row(phase, [phase])), row('step', PHASES)];
}

export function forkRow(way: string, rounds: readonly ForkResult[]): ForkRow {
  return {
    way,
    perSecond: median(rounds.map(({ forks, wall }) => forks / wall)),
    cpuMillis: median(rounds.map(({ forks, cpu }) => (1000 * cpu) / forks)),
  };
}

export function disagreements(workload: Workload, published: WayResult, ours: WayResult): Disagreement[] {
  const found = new Map<string, Disagreement>();
  for (const phase of PHASES)
    ours.phases[phase].verdicts.forEach((verdict, i) => {
      const theirs = published.phases[phase].verdicts[i];
      if (theirs === undefined) throw new Error(`the published way gave no verdict ${i} of ${phase}`);
      if (theirs === verdict) return;
      const reason = ours.phases[phase].reasons[i] ?? '';
      const key = `${phase} ${reason}`;
      const count = (found.get(key)?.count ?? 0) + 1;
      const example = found.get(key)?.example ?? JSON.stringify(workload[phase][i]).slice(0, 600);
      found.set(key, { phase, ours: reason, published: theirs, count, example });
    });
  return [...found.values()];
}

export interface Report {
  readonly machine: Readonly<Record<string, string | number>>;
  /** What the published way is. */
  readonly published: string;
  /** Against the published way as released: one worker, one call after the other. */
  readonly steps: readonly StepRow[];
  /** Against the published way with as many workers and callers as ours; empty where ours has one. */
  readonly busy: readonly StepRow[];
  readonly forks: readonly ForkRow[];
  readonly verdicts: number;
  readonly disagreements: readonly Disagreement[];
  readonly targets: readonly Target[];
}

const seconds = (value: number): string => `${value.toFixed(value < 0.1 ? 3 : 2)} s`;

function stepTable(published: string, rows: readonly StepRow[]): readonly (readonly string[])[] {
  return [
    [
      `against ${published}`,
      'checks',
      'published wall',
      'ours wall',
      'faster',
      'published CPU',
      'ours CPU',
      'CPU share',
    ],
    ...rows.map((row) => [
      row.phase,
      row.checks.toLocaleString('en'),
      seconds(row.published.wall),
      seconds(row.ours.wall),
      `${row.faster.toFixed(1)}x`,
      seconds(row.published.cpu),
      seconds(row.ours.cpu),
      row.cpuShare.toFixed(2),
    ]),
  ];
}

function tables(report: Report): readonly (readonly (readonly string[])[])[] {
  const { workers } = report.machine;
  const steps = stepTable(`${report.published}, 1 worker`, report.steps);
  const busy = stepTable(`${report.published}, ${workers} workers and callers`, report.busy);
  const forks = [
    ['forking', 'forks/s', 'CPU a fork'],
    ...report.forks.map(({ way, perSecond, cpuMillis }) => [
      way,
      Math.round(perSecond).toLocaleString('en'),
      `${cpuMillis.toFixed(2)} ms`,
    ]),
  ];
  const targets = [
    ['target', 'wanted', 'measured', 'holds'],
    ...report.targets.map(({ name, wanted, measured, holds }) => [
      name,
      wanted,
      measured.toFixed(2),
      holds ? 'yes' : 'NO',
    ]),
  ];
  const differing = [
    ['verdicts that differ', 'ours', 'published', 'count'],
    ...report.disagreements.map(({ phase, ours, published, count }) => [
      phase,
      ours,
      published ? 'yes' : 'no',
      String(count),
    ]),
  ];
  return [
    steps,
    ...(report.busy.length > 0 ? [busy] : []),
    forks,
    targets,
    ...(differing.length > 1 ? [differing] : []),
  ];
}

function headline(report: Report): string {
  const differ = report.disagreements.reduce((sum, { count }) => sum + count, 0);
  const machine = Object.entries(report.machine).map(([name, value]) => `${name} ${value}`);
  return `${machine.join(', ')}; ${differ} of ${report.verdicts.toLocaleString('en')} verdicts differ`;
}

/** Names to the left, numbers to the right. */
export function aligned(report: Report): string {
  const blocks = tables(report).map((rows) => {
    const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
    return rows
      .map((row) =>
        row
          .map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0)))
          .join('  '),
      )
      .join('\n');
  });
  return [headline(report), ...blocks].join('\n\n');
}

export function markdown(report: Report): string {
  const blocks = tables(report).map(([head = [], ...rows]) =>
    [head, head.map((_, c) => (c === 0 ? '---' : '---:')), ...rows]
      .map((row) => `| ${row.join(' | ')} |`)
      .join('\n'),
  );
  return [headline(report), ...blocks].join('\n\n');
}
