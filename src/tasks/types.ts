/**
 * A task as self-play sees it (arXiv 2505.03335): a program with an input and an output, or several.
 *
 *   deduction  (p, i) -> predict o        abduction  (p, o) -> predict an i with p(i) = o
 *   induction  {(i, o)} and a message -> write a p; the first half of the pairs is given, the second half hidden
 *   error      (p, i) -> predict the class of the exception that p(i) raises, or NoError (the published code's `code_e`)
 */
import type { Outcome } from '../sandbox/port.js';
import type { GoldRefusal } from './gold.js';
import type { Score } from './score.js';

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

/** One answer and what it is held against: of a task no more than its kind's judge needs. */
export interface JudgeInput {
  readonly kind: TaskKind;
  readonly code: string;
  readonly input?: string;
  readonly output?: string;
  readonly pairs?: readonly Pair[];
  /** Output literal, argument text, program text or name of a class, by kind. */
  readonly answer: string;
}

/** What a proposer may be shown of the buffer; each draws once, when it is asked. */
export interface ProposerDraws<T> {
  /** Tasks of the kind itself. */
  references(): readonly T[];
  /** A task whose program is to be written inputs for; undefined while there is none whose prompt fits. */
  program(): T | undefined;
}

export interface ProposerMaterial<T> {
  readonly references: readonly T[];
  /** Null where the proposer writes the program too. */
  readonly program: T | null;
}

/** A proposal as it stands in an answer's blocks. `wellFormed`: all of it in closed blocks of their own tags. */
export type ProposalText =
  | {
      readonly ok: true;
      readonly wellFormed: boolean;
      /** Null where the program was given. */
      readonly code: string | null;
      readonly inputs: readonly string[];
      readonly message: string | null;
    }
  | { readonly ok: false; readonly reason: ProposalTextReason; readonly detail: string };
export type ProposalTextReason = 'no-program' | 'no-input' | 'too-few-inputs' | 'no-message';

/** A solver's answer. `wellFormed`: it stands in a closed block of its own tag. */
export interface SolutionText {
  readonly wellFormed: boolean;
  readonly answer: string | null;
}

/** What an answer's text says, by the parts that kinds ask for (policy/text/extract.ts). */
export interface AnswerReader {
  programAndInput(): ProposalText;
  /** For a program that was given. */
  inputsAndMessage(): ProposalText;
  literal(name: 'input' | 'output'): SolutionText;
  program(): SolutionText;
}

/** A run that a verdict needs. */
export interface JudgedRun {
  readonly code: string;
  readonly inputs: readonly string[];
}

/**
 * What a kind of task is, told in one file each: what its proposer is shown, how answers are read, what makes a proposal
 * valid, what its solver is shown, and when a solver is right. The words of its prompts are data of the policies
 * (policy/text/templates.ts, policy/tiny/codec.ts).
 */
export interface TaskKindDefinition {
  readonly kind: TaskKind;
  /** What the proposer is shown; undefined where the buffer has nothing that it could write a proposal for. */
  readonly propose: <T>(draws: ProposerDraws<T>) => ProposerMaterial<T> | undefined;
  readonly parse: {
    readonly proposal: (answer: AnswerReader) => ProposalText;
    readonly solution: (answer: AnswerReader) => SolutionText;
  };
  readonly validate: {
    /** The task's output for an input, from the outcome on which the sandboxes agree; or why there is none. */
    readonly gold: (outcome: Outcome) => string | GoldRefusal;
    /** Whether the keywords that are banned of exceptions are banned of its programs (propose.bannedErrorKeywords). */
    readonly bansErrorKeywords: boolean;
  };
  /** What the solver is shown. */
  readonly solve: (task: Task) => SolverView;
  readonly verify: {
    readonly question: (task: Task, answer: string) => JudgeInput;
    /** Undefined where nothing has to run. */
    readonly run: (question: JudgeInput) => JudgedRun | undefined;
    /** @param outcomes of the run, one an input. */
    readonly score: (question: JudgeInput, outcomes: readonly Outcome[]) => Score;
  };
}

/** A proposer's completion, parsed. `formatOk` is the published format score: whether the response has the form asked for. */
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
