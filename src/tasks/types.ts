/**
 * A task as self-play sees it (arXiv 2505.03335, section 3): a program with an input and an output, or several.
 *
 *   deduction  (p, i) -> predict o        abduction  (p, o) -> predict an i with p(i) = o
 *   induction  {(i, o)} and a message -> write a p; the first half of the pairs is given, the second half hidden
 *   error      (p, i) -> predict the class of the exception that p(i) raises, or NoError (the published code's `code_e`)
 */
export const TASK_KINDS = ['deduction', 'abduction', 'induction', 'error'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];
/** The kinds of the paper's experiments, and what a run has when it names none. */
export const PAPER_KINDS: readonly TaskKind[] = ['deduction', 'abduction', 'induction'];

export type Role = 'propose' | 'solve';

export interface Pair {
  /** Argument text, as it stands between the brackets of `f(...)`. */
  readonly input: string;
  /** Python literal text. */
  readonly output: string;
}

export interface Task {
  readonly taskId: string;
  readonly kind: TaskKind;
  /** Program text that defines `f`. */
  readonly code: string;
  /** One input, or several for induction. */
  readonly inputs: readonly string[];
  /** Python literals in the order of the inputs; of an error task the name of the class. */
  readonly outputs: readonly string[];
  /** What the proposer says of the program to the solver; induction only. */
  readonly message: string | null;
}

/** What a solver may see of a task, and what is kept from it. */
export interface SolverView {
  readonly code?: string;
  readonly input?: string;
  readonly output?: string;
  readonly givenPairs: readonly Pair[];
  readonly hiddenPairs: readonly Pair[];
  readonly message?: string;
}

export interface JudgeInput {
  readonly kind: TaskKind;
  readonly code: string;
  readonly input?: string;
  readonly output?: string;
  readonly pairs?: readonly Pair[];
  readonly answer: string;
}

/** What each kind of task adds; one file a kind implements it. */
export interface TaskKindDefinition {
  readonly kind: TaskKind;
  /** True where the proposer writes the program too; false where a program of the buffer is given (induction). */
  readonly proposesProgram: boolean;
  solverView(task: Task): SolverView;
  /** What the judge needs for one answer. */
  judgeInput(task: Task, answer: string): JudgeInput;
}

/** A proposer's completion, parsed. `formatOk` is the format score of azr-spec section 5. */
export type ParsedProposal =
  | {
      readonly ok: true;
      readonly formatOk: boolean;
      /** The program; for induction the given one. */
      readonly code: string;
      /** As written, before any rewriting. */
      readonly originalCode: string;
      readonly inputs: readonly string[];
      readonly message: string | null;
      readonly imports: readonly string[];
      readonly thought: string | null;
    }
  | { readonly ok: false; readonly formatOk: boolean; readonly reason: string; readonly detail: string };

/** A solver's completion, parsed. An answer of null is a wrong answer. */
export interface ParsedSolution {
  readonly formatOk: boolean;
  readonly thought: string | null;
  readonly answer: string | null;
}
