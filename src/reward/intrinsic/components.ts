/**
 * The intrinsic terms of a proposal's reward: value = min(coefficient * raw, cap) a term. A term is computed only where
 * its setting enables it; what it needs is asked for through functions, so that nothing else is worked out.
 *
 *   abduction, deduction, error   complexity, mean_edit_distance, halstead, answer_diversity
 *   induction                     f_input_answer_diversity, f_output_answer_diversity
 *
 * The published code computes every raw value even where it is disabled, and measures the f terms by the rule of
 * answer_diversity; here each term names its own rule, which a configuration may set alike.
 */
import type { TaskKind } from '../../tasks/types.js';
import { combine, type CombineMethod } from '../combine.js';
import type { Reward, RewardComponent } from '../composite.js';
import { ERROR_TYPE, surprise, typeOfText, type DiversityRule, type TypeCounts } from './answer-diversity.js';
import { meanEditDistanceSteps } from './ast-edit-distance.js';
import { halstead } from './halstead.js';
import { meanSurprise } from './induction-diversity.js';
import { complexityMeasure } from './measures.js';
import type { SyntaxNode } from './syntax-tree.js';

export const PROGRAM_TERMS = ['complexity', 'mean_edit_distance', 'halstead', 'answer_diversity'] as const;
export const INDUCTION_TERMS = ['f_input_answer_diversity', 'f_output_answer_diversity'] as const;
export type IntrinsicTerm = (typeof PROGRAM_TERMS)[number] | (typeof INDUCTION_TERMS)[number];

/** Published defaults: disabled, coefficient 0, cap 0.5, flat. */
export interface TermSettings {
  readonly enabled: boolean;
  readonly coefficient: number;
  /** Upper bound of coefficient * raw (the published `max`). */
  readonly cap: number;
  /** Of the diversity terms only; `flat` where absent. */
  readonly rule?: DiversityRule;
}

export type IntrinsicSettings = Readonly<Partial<Record<IntrinsicTerm, TermSettings>>>;

/** One valid proposal. Functions are called at most once, and only where an enabled term needs them. */
export interface IntrinsicSubject {
  readonly kind: TaskKind;
  /** Tree of its program; undefined where it does not parse. */
  readonly tree: () => SyntaxNode | undefined;
  /** Trees of the references of its prompt that parse. */
  readonly references: () => readonly SyntaxNode[];
  /** What a solver has to give: the input of an abduction, the output of a deduction, an exception class. */
  readonly answer: string;
  /** Counts of inputs, of outputs, or of exception classes, whatever the kinds of the tasks. */
  readonly answerCounts: () => TypeCounts;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Counts of inputs and of outputs, whatever the kinds of the tasks. */
  readonly inputCounts: () => TypeCounts;
  readonly outputCounts: () => TypeCounts;
}

/** The terms that apply to a kind of task and are enabled. */
export function enabledTerms(kind: TaskKind, settings: IntrinsicSettings): readonly IntrinsicTerm[] {
  const terms: readonly IntrinsicTerm[] = kind === 'induction' ? INDUCTION_TERMS : PROGRAM_TERMS;
  return terms.filter((term) => settings[term]?.enabled === true);
}

/** True where some enabled term of this kind needs syntax trees: whether to ask the sandbox for them. */
export function needsTrees(kind: TaskKind, settings: IntrinsicSettings): boolean {
  return enabledTerms(kind, settings).some(
    (term) => term === 'complexity' || term === 'mean_edit_distance' || term === 'halstead',
  );
}

/** True where the trees of the references are needed too. */
export function needsReferences(kind: TaskKind, settings: IntrinsicSettings): boolean {
  return enabledTerms(kind, settings).includes('mean_edit_distance');
}

/** A term's raw value: what the log keeps, and rewards are computed from. */
export interface IntrinsicMeasure {
  readonly name: string;
  readonly raw: number;
}

/**
 * Raw values of the enabled terms of one proposal, in the order of PROGRAM_TERMS or INDUCTION_TERMS; in steps of some
 * milliseconds, since distances of long programs take many seconds (sequence-matcher.ts).
 */
export function* intrinsicMeasuresSteps(
  subject: IntrinsicSubject,
  settings: IntrinsicSettings,
): Generator<undefined, readonly IntrinsicMeasure[]> {
  const tree = once(subject.tree);
  const measures: IntrinsicMeasure[] = [];
  for (const name of enabledTerms(subject.kind, settings)) {
    const raw = yield* rawOf(name, subject, tree, settings[name]?.rule ?? 'flat');
    measures.push({ name, raw });
  }
  return measures;
}

/**
 * The enabled terms, weighed: value = min(coefficient * raw, cap).
 *
 * @param measures raw values by name, those of disabled terms too. @throws Error where an enabled term has none.
 */
export function intrinsicComponents(
  kind: TaskKind,
  measures: readonly IntrinsicMeasure[],
  settings: IntrinsicSettings,
): readonly RewardComponent[] {
  const rawOfTerm = new Map(measures.map(({ name, raw }) => [name, raw]));
  return enabledTerms(kind, settings).map((name) => {
    const { coefficient, cap } = settings[name] as TermSettings;
    const raw = rawOfTerm.get(name);
    if (raw === undefined) throw new Error(`the intrinsic term ${name} is enabled and was not measured`);
    return { name, raw, coefficient, cap, value: Math.min(coefficient * raw, cap) };
  });
}

/**
 * Adds intrinsic terms to the reward of a valid proposal with u > 0. Others keep theirs: the published code gives no
 * intrinsic reward to what is malformed, invalid, trivial or unsolved.
 */
export function withIntrinsic(
  learnabilityReward: Reward,
  terms: readonly RewardComponent[],
  method: CombineMethod,
): Reward {
  const [first] = learnabilityReward.components;
  if (terms.length === 0 || first?.name !== 'learnability' || !(first.raw > 0)) return learnabilityReward;
  const values = terms.map((term) => term.value);
  return {
    reward: combine(learnabilityReward.reward, values, method),
    components: [...learnabilityReward.components, ...terms],
  };
}

function* rawOf(
  name: IntrinsicTerm,
  subject: IntrinsicSubject,
  tree: () => SyntaxNode | undefined,
  rule: DiversityRule,
): Generator<undefined, number> {
  switch (name) {
    case 'complexity':
      return ofTree(tree(), complexityMeasure);
    case 'halstead':
      return ofTree(tree(), halstead);
    case 'mean_edit_distance': {
      const program = tree();
      return program === undefined ? 0 : yield* meanEditDistanceSteps(program, subject.references());
    }
    case 'answer_diversity':
      return surprise(subject.answer, subject.answerCounts(), rule, typeOfAnswers(subject.kind));
    case 'f_input_answer_diversity':
      return meanSurprise(subject.inputs, subject.inputCounts(), rule);
    case 'f_output_answer_diversity':
      return meanSurprise(subject.outputs, subject.outputCounts(), rule);
  }
}

/** Names of exception classes are no literals. */
function typeOfAnswers(kind: TaskKind): (text: string) => string {
  return kind === 'error' ? () => ERROR_TYPE : typeOfText;
}

function ofTree(tree: SyntaxNode | undefined, measure: (tree: SyntaxNode) => number): number {
  return tree === undefined ? 0 : measure(tree);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
