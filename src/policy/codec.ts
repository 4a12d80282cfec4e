/**
 * The prompt codec: tasks in, tokens out, and back. It belongs to the policy, so that the steps of self-play are the
 * same code for the tiny policy's symbols and for the text prompts of large models.
 */
import type { TokenTexts } from './port.js';
import type { ParsedProposal, ParsedSolution, SolverView, Task, TaskKind } from '../tasks/types.js';

export interface Prompt {
  /** What a person reads; null where the tokens say it all. */
  readonly text: string | null;
  readonly tokens: readonly number[];
  /** Start state of the policy's grammar, if it has one. */
  readonly grammar?: string;
  readonly maxTokens: number;
}

/** A task of the buffer shown to the proposer. */
export interface ProposalReference {
  readonly code: string;
  readonly input: string;
  readonly output: string;
}

export interface Completion {
  readonly tokens: readonly number[];
  readonly finish: 'end' | 'stop' | 'length';
}

export interface PolicyCodec {
  /** Whether a task can be put into prompts at all; a policy over a domain of its own knows only that domain's. */
  expresses(task: Pick<Task, 'code' | 'inputs' | 'outputs'>): boolean;
  /** Goes into every prompt's event; changes whenever a template does. */
  readonly templateVersion: string;
  /**
   * `program` is given for kinds whose proposer writes inputs for a program of the buffer (induction). `functions` are
   * the definitions of g_0, g_1, ... that a composite program has to call (tasks/composite.ts); default none. What is
   * parsed is the proposed program alone, without them.
   */
  proposePrompt(
    kind: TaskKind,
    references: readonly ProposalReference[],
    program: string | null,
    functions?: readonly string[],
  ): Prompt;
  parseProposal(
    kind: TaskKind,
    completion: Completion,
    program: string | null,
    functions?: readonly string[],
  ): ParsedProposal;
  solvePrompt(kind: TaskKind, view: SolverView): Prompt;
  parseSolution(kind: TaskKind, completion: Completion): ParsedSolution;
  text(tokens: readonly number[]): string;
  /** What stop strings are looked for in; absent where the run has none. */
  readonly tokenTexts?: TokenTexts;
}
