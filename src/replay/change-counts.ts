/** What changes between a record and a counterfactual, by role and kind, and the tasks whose advantages change sign. */
import { TASK_KINDS, type Role, type TaskKind } from '../tasks/types.js';

interface Counted {
  readonly role: Role;
  readonly kind: TaskKind;
  readonly taskId: string | null;
}

export interface RewardChange extends Counted {
  readonly recordedReward: number | null;
  readonly reward: number | null;
}

export interface AdvantageChange extends Counted {
  readonly recordedAdvantage: number | null;
  readonly advantage: number | null;
}

export interface Change {
  /** Values in the record, and under the other configuration. */
  readonly recorded: number;
  readonly counterfactual: number;
  /** Null where there are none. */
  readonly recordedMean: number | null;
  readonly mean: number | null;
  /** Of the values in both: those that differ, and the mean of |after - before|. */
  readonly changed: number;
  readonly meanShift: number | null;
  /** Of the values in both: those above 0 before and below after, or the other way. */
  readonly signFlips: number;
}

export interface ChangeReport {
  readonly groups: readonly {
    readonly role: Role;
    readonly kind: TaskKind;
    readonly rewards: Change;
    readonly advantages: Change;
  }[];
  /** Those with an advantage that changes sign, most first. */
  readonly tasks: readonly { readonly taskId: string; readonly kind: TaskKind; readonly signFlips: number }[];
}

export class ChangeCounts {
  readonly #groups = new Map<string, { role: Role; kind: TaskKind; rewards: Sums; advantages: Sums }>();
  readonly #flips = new Map<string, { kind: TaskKind; signFlips: number }>();

  addRewards(rows: readonly RewardChange[]): void {
    for (const row of rows) this.#of(row).rewards.add(row.recordedReward, row.reward);
  }

  addAdvantages(rows: readonly AdvantageChange[]): void {
    for (const row of rows) {
      const { taskId, kind } = row;
      const flips = this.#of(row).advantages.add(row.recordedAdvantage, row.advantage);
      if (!flips || taskId === null) continue;
      const known = this.#flips.get(taskId);
      if (known === undefined) this.#flips.set(taskId, { kind, signFlips: 1 });
      else known.signFlips += 1;
    }
  }

  #of({ role, kind }: Counted): { readonly rewards: Sums; readonly advantages: Sums } {
    const key = `${role}.${kind}`;
    let group = this.#groups.get(key);
    if (group === undefined)
      this.#groups.set(key, (group = { role, kind, rewards: new Sums(), advantages: new Sums() }));
    return group;
  }

  report(): ChangeReport {
    const place = ({ role, kind }: { role: Role; kind: TaskKind }): number =>
      (role === 'propose' ? 0 : TASK_KINDS.length) + TASK_KINDS.indexOf(kind);
    return {
      groups: [...this.#groups.values()]
        .sort((a, b) => place(a) - place(b))
        .map(({ role, kind, rewards, advantages }) => ({
          role,
          kind,
          rewards: rewards.change(),
          advantages: advantages.change(),
        })),
      tasks: [...this.#flips]
        .map(([taskId, { kind, signFlips }]) => ({ taskId, kind, signFlips }))
        .sort((a, b) => b.signFlips - a.signFlips || (a.taskId < b.taskId ? -1 : 1)),
    };
  }
}

class Sums {
  #recorded = 0;
  #recordedSum = 0;
  #counterfactual = 0;
  #sum = 0;
  #both = 0;
  #changed = 0;
  #shift = 0;
  #flips = 0;

  /** @returns whether the sign changes. */
  add(before: number | null, after: number | null): boolean {
    if (before !== null) {
      this.#recorded += 1;
      this.#recordedSum += before;
    }
    if (after !== null) {
      this.#counterfactual += 1;
      this.#sum += after;
    }
    if (before === null || after === null) return false;
    this.#both += 1;
    if (before !== after) this.#changed += 1;
    this.#shift += Math.abs(after - before);
    const flips = before * after < 0;
    if (flips) this.#flips += 1;
    return flips;
  }

  change(): Change {
    const mean = (sum: number, count: number): number | null => (count === 0 ? null : sum / count);
    return {
      recorded: this.#recorded,
      counterfactual: this.#counterfactual,
      recordedMean: mean(this.#recordedSum, this.#recorded),
      mean: mean(this.#sum, this.#counterfactual),
      changed: this.#changed,
      meanShift: mean(this.#shift, this.#both),
      signFlips: this.#flips,
    };
  }
}
