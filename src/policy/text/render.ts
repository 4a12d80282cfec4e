/** Filling the templates: slots once, contents in fenced blocks that their own backticks cannot end. */
import type { SolverView, TaskKind } from '../../tasks/types.js';
import { compositeName } from '../../tasks/composite.js';
import type { ProposalReference } from '../codec.js';
import type { ChatTemplate } from './chat-template.js';
import type { Wrapper } from './envelope.js';
import { fence } from './fences.js';
import {
  CHAT_WRAPPER_TEMPLATES,
  COMPOSITE_SECTION,
  HELPERS_ALLOWED,
  HELPERS_NESTED_ONLY,
  KEYWORD_CRITERION,
  NOVELTY_CRITERION,
  PROPOSE_TEMPLATES,
  SOLVE_TEMPLATES,
  STATE_REQUIREMENT,
  WRAPPER_TEMPLATES,
} from './templates.js';

/** What the prompts say of the rules that validation enforces. */
export interface PromptRules {
  /** Modules that a proposed program may not import. */
  readonly bannedImports: readonly string[];
  /** Time limit of an execution, seconds. */
  readonly seconds: number;
  /** Inputs of an induction proposal. */
  readonly inductionInputs: number;
  /** Programs of several top-level functions are refused. */
  readonly singleFunction: boolean;
  /** Keywords that a program of an error task may not have. */
  readonly bannedErrorKeywords: readonly string[];
}

/** @param functions definitions of g_0, g_1, ..., which the program has to call. */
export function renderPairProposal(
  kind: Exclude<TaskKind, 'induction'>,
  references: readonly ProposalReference[],
  rules: PromptRules,
  functions: readonly string[] = [],
): string {
  const { bannedErrorKeywords: keywords } = rules;
  return fill(PROPOSE_TEMPLATES[kind], {
    ...programSlots(rules),
    state: STATE_REQUIREMENT,
    novelty: references.length === 0 ? '' : NOVELTY_CRITERION,
    banned: rules.bannedImports.length === 0 ? '(none)' : rules.bannedImports.join(', '),
    keywords:
      kind !== 'error' || keywords.length === 0 ? '' : fill(KEYWORD_CRITERION, { list: keywords.join(', ') }),
    references:
      references.length === 0 ? '' : `\n\n### Reference programs\n${renderReferences(kind, references)}`,
    composite: functions.length === 0 ? '' : renderFunctions(functions),
  });
}

export function renderInductionProposal(program: string, rules: PromptRules): string {
  return fill(PROPOSE_TEMPLATES.induction, {
    count: String(rules.inductionInputs),
    program: fence('python', `${program.trimEnd()}\n\nf(<your input stands here>)`),
  });
}

/** @throws TypeError naming a part of the view that this kind needs and that is missing. */
export function renderSolve(kind: TaskKind, view: SolverView, rules: PromptRules): string {
  const template = SOLVE_TEMPLATES[kind];
  switch (kind) {
    case 'deduction':
    case 'error':
      return fill(template, {
        program: fence('python', required(view.code, 'code')),
        input: fence('input', required(view.input, 'input')),
      });
    case 'abduction':
      return fill(template, {
        program: fence('python', required(view.code, 'code')),
        output: fence('output', required(view.output, 'output')),
      });
    case 'induction':
      return fill(template, {
        ...programSlots(rules),
        state: '',
        pairs: view.givenPairs
          .map(({ input, output }, k) => `${fence(`input_${k}`, input)}\n${fence(`output_${k}`, output)}`)
          .join('\n\n'),
        message: fence('message', view.message ?? '(none)'),
      });
  }
}

const OPEN_THINK = '<think>';

/** The whole prompt of one task. Where a thought is asked for, it ends with an open think tag, whoever opens it. */
export function wrap(wrapper: Wrapper, task: string, chat?: ChatTemplate): string {
  if (chat === undefined) return fill(WRAPPER_TEMPLATES[wrapper], { task });
  const prompt = chat.render(fill(CHAT_WRAPPER_TEMPLATES[wrapper], { task }));
  return wrapper !== 'think' || prompt.trimEnd().endsWith(OPEN_THINK) ? prompt : `${prompt}${OPEN_THINK}`;
}

/**
 * Replaces every `{{name}}` by its text. Texts are not searched again, so a program may contain what looks like a slot.
 *
 * @throws Error for a slot without a text: a defect of the templates.
 */
export function fill(template: string, slots: Readonly<Record<string, string>>): string {
  const parts: string[] = [];
  let at = 0;
  for (let open = template.indexOf('{{'); open >= 0; open = template.indexOf('{{', at)) {
    const close = template.indexOf('}}', open);
    const name = template.slice(open + 2, close);
    const text = Object.hasOwn(slots, name) ? slots[name] : undefined;
    if (close < 0 || text === undefined) throw new Error(`the template's slot {{${name}}} has no text`);
    parts.push(template.slice(at, open), text);
    at = close + 2;
  }
  parts.push(template.slice(at));
  return parts.join('');
}

function programSlots(rules: PromptRules): Record<string, string> {
  return {
    helpers: rules.singleFunction ? HELPERS_NESTED_ONLY : HELPERS_ALLOWED,
    seconds: String(rules.seconds),
  };
}

function renderFunctions(functions: readonly string[]): string {
  return fill(COMPOSITE_SECTION, {
    names: functions.map((_, k) => `\`${compositeName(k)}\``).join(', '),
    functions: functions.map((code) => fence('python', code)).join('\n'),
  });
}

/** Each in a numbered tag of its own, from 0. */
function renderReferences(kind: TaskKind, references: readonly ProposalReference[]): string {
  return references
    .map(({ code, input, output }, i) =>
      [
        `<snippet_${i}>`,
        fence('python', code),
        fence('input', input),
        fence(kind === 'error' ? 'error' : 'output', output),
        `</snippet_${i}>`,
      ].join('\n'),
    )
    .join('\n');
}

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new TypeError(`${name} is missing; this prompt needs it`);
  return value;
}
