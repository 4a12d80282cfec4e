/**
 * The prompt codec of large models: text prompts out, free text back. The pieces are
 * templates.ts and render.ts for the way out, envelope.ts, fences.ts, extract.ts and program.ts for the way back.
 *
 * Only the completion is ever parsed, from its tokens: what a task's text contains cannot be mistaken for an answer.
 */
import { BANNED_IMPORTS } from '../../sandbox/validate.js';
import { DEFAULT_LIMITS } from '../../sandbox/limits.js';
import { taskKinds } from '../../tasks/index.js';
import type { ParsedProposal, ParsedSolution, TaskKind } from '../../tasks/types.js';
import type { Completion, PolicyCodec, Prompt, ProposalReference } from '../codec.js';
import type { TokenTexts } from '../port.js';
import type { ChatTemplate } from './chat-template.js';
import { openEnvelope, WRAPPERS, type Wrapper } from './envelope.js';
import { readAnswer } from './extract.js';
import { collectImports, ENTRY_RULES, readProgram, type ProgramRules } from './program.js';
import {
  renderInductionProposal,
  renderPairProposal,
  renderSolve,
  wrap,
  type PromptRules,
} from './render.js';
import { TEMPLATE_VERSION } from './templates.js';

export interface TextTokenizer {
  /** Token ids of a text, without a start or end token of its own; special tokens that a chat template writes are one id. */
  encode(text: string): readonly number[];
  decode(tokens: readonly number[]): string;
}

export interface TextCodecOptions {
  readonly tokenizer: TextTokenizer;
  readonly wrapper: Wrapper;
  /** The model's own; default: prompts are plain text, as for base models. */
  readonly chat?: ChatTemplate;
  /** Longest prompt, in tokens (data.max_prompt_length). Default: no bound. */
  readonly maxPromptTokens?: number;
  /** Longest prompt before its wrapper, in tokens (content_max_length). Default: no bound. */
  readonly maxContentTokens?: number;
  /** Longest completion, in tokens. */
  readonly maxResponseTokens: number;
  /** One of these is taken off the end of a completion before it is read. Default: none. */
  readonly endTokens?: readonly number[];
  /** Of the tokenizer's tokens; needed where stop strings end completions. */
  readonly tokenTexts?: TokenTexts;
  /** Inputs that an induction proposal needs (num_inputs). Default 10. */
  readonly inductionInputs?: number;
  /** How proposed programs are read. */
  readonly program?: ProgramRules;
  /** What the prompts say may not be imported. Default: what validation refuses. */
  readonly bannedImports?: readonly string[];
  /** Keywords that the prompts of error prediction say a program may not have. Default: none. */
  readonly bannedErrorKeywords?: readonly string[];
  /** What the prompts say of the time limit, seconds. Default: the sandbox's. */
  readonly timeLimitSeconds?: number;
}

/** A proposer's prompt, and which of the references it was given are in it (places in the list, in order). */
export interface ProposePrompt extends Prompt {
  readonly shownReferences: readonly number[];
}

export interface TextCodec extends PolicyCodec {
  proposePrompt(
    kind: TaskKind,
    references: readonly ProposalReference[],
    program: string | null,
    functions?: readonly string[],
  ): ProposePrompt;
}

/** A task that does not fit into a prompt: draw another one. */
export class PromptTooLongError extends Error {
  override readonly name = 'PromptTooLongError';
  readonly tokens: number;
  readonly limit: number;

  constructor(tokens: number, limit: number, bound = 'maxPromptTokens') {
    super(`the prompt has ${tokens} tokens; accepted are up to ${limit} (${bound})`);
    this.tokens = tokens;
    this.limit = limit;
  }
}

/** Why a proposal cannot be read: the closed list. */
export const TEXT_PROPOSAL_REASONS = [
  'unfinished',
  'no-answer',
  'no-program',
  'no-input',
  'too-few-inputs',
  'no-message',
  'code-too-long',
  'no-function',
  'multiple-functions',
] as const;
export type TextProposalReason = (typeof TEXT_PROPOSAL_REASONS)[number];

/**
 * A codec over a tokenizer. Prompts of proposers that are too long lose references, the longest first, until they fit;
 * other prompts that are too long throw PromptTooLongError.
 *
 * @throws RangeError for an option out of its range.
 */
export function createTextCodec(options: TextCodecOptions): TextCodec {
  const { tokenizer, wrapper, chat, maxResponseTokens, endTokens = [], program: programRules = {} } = options;
  const { maxPromptTokens = Infinity, maxContentTokens = Infinity } = options;
  const inductionInputs = options.inductionInputs ?? 10;
  const rules: PromptRules = {
    bannedImports: options.bannedImports ?? BANNED_IMPORTS,
    seconds: options.timeLimitSeconds ?? DEFAULT_LIMITS.cpuMs / 1000,
    inductionInputs,
    singleFunction: programRules.rejectMultipleFunctions ?? true,
    bannedErrorKeywords: options.bannedErrorKeywords ?? [],
  };
  checkOptions(options);

  /** @throws PromptTooLongError */
  const prompt = (task: string): Prompt => {
    if (maxContentTokens !== Infinity) {
      const { length } = tokenizer.encode(task);
      if (length > maxContentTokens)
        throw new PromptTooLongError(length, maxContentTokens, 'maxContentTokens');
    }
    const text = wrap(wrapper, task, chat);
    const tokens = tokenizer.encode(text);
    if (tokens.length > maxPromptTokens) throw new PromptTooLongError(tokens.length, maxPromptTokens);
    return { text, tokens, maxTokens: maxResponseTokens };
  };
  const read = (tokens: readonly number[]): string =>
    tokenizer.decode(endTokens.includes(tokens.at(-1) ?? -1) ? tokens.slice(0, -1) : tokens);

  return {
    // Prompts are text: any program is.
    expresses: () => true,
    templateVersion: [TEMPLATE_VERSION, wrapper, ...(chat === undefined ? [] : [chat.version])].join('/'),

    proposePrompt(kind, references, program, functions = []): ProposePrompt {
      if (kind === 'induction')
        return { ...prompt(renderInductionProposal(requiredProgram(program), rules)), shownReferences: [] };
      let shown = references.map((_, i) => i);
      for (;;) {
        const chosen = shown.flatMap((i) => references[i] ?? []);
        try {
          return { ...prompt(renderPairProposal(kind, chosen, rules, functions)), shownReferences: shown };
        } catch (error) {
          if (!(error instanceof PromptTooLongError) || shown.length === 0) throw error;
        }
        const dropped = longest(references, shown);
        shown = shown.filter((i) => i !== dropped);
      }
    },

    parseProposal(kind, completion, program): ParsedProposal {
      const { formatOk, thought, answer } = openEnvelope(wrapper, read(completion.tokens));
      const refuse = (reason: TextProposalReason, detail: string): ParsedProposal =>
        completion.finish === 'length'
          ? {
              ok: false,
              formatOk: formatOk && wrapper !== 'bare',
              reason: 'unfinished',
              detail: `cut after ${completion.tokens.length} tokens; ${reason}: ${detail}`,
            }
          : { ok: false, formatOk: formatOk && wrapper !== 'bare', reason, detail };
      if (answer === null) return refuse('no-answer', NO_ANSWER[wrapper]);
      const found = taskKinds[kind].parse.proposal(readAnswer(answer, inductionInputs));
      if (!found.ok) return refuse(found.reason, found.detail);
      const proposed = {
        ok: true,
        formatOk: formatOk && (wrapper !== 'bare' || found.wellFormed),
        inputs: found.inputs,
        message: found.message,
        thought,
      } as const;
      if (found.code === null) {
        const code = requiredProgram(program);
        return { ...proposed, code, originalCode: code, imports: collectImports(code) };
      }
      const reading = readProgram(found.code, programRules);
      if (!reading.ok) return refuse(reading.reason, reading.detail);
      return { ...proposed, code: reading.code, originalCode: found.code, imports: reading.imports };
    },

    solvePrompt: (kind, view) => prompt(renderSolve(kind, view, rules)),

    parseSolution(kind, completion: Completion): ParsedSolution {
      const { formatOk, thought, answer } = openEnvelope(wrapper, read(completion.tokens));
      if (answer === null) return { formatOk: false, thought, answer: null };
      const found = taskKinds[kind].parse.solution(readAnswer(answer, inductionInputs));
      // A program that stands in no block, and an answer of no text, are no answers in whatever wrapper.
      const asked = found.answer !== null && (wrapper !== 'bare' || found.wellFormed);
      return { formatOk: formatOk && asked, thought, answer: found.answer };
    },

    text: read,
    ...(options.tokenTexts === undefined ? {} : { tokenTexts: options.tokenTexts }),
  };
}

const NO_ANSWER: Readonly<Record<Wrapper, string>> = {
  think: 'no <answer> tag',
  boxed: 'no \\boxed{...} with balanced braces',
  bare: 'no text',
};

function checkOptions(options: TextCodecOptions): void {
  if (!WRAPPERS.includes(options.wrapper))
    throw new RangeError(`wrapper is ${String(options.wrapper)}; accepted are ${WRAPPERS.join(', ')}`);
  const counts = {
    maxPromptTokens: options.maxPromptTokens,
    maxContentTokens: options.maxContentTokens,
    maxResponseTokens: options.maxResponseTokens,
    inductionInputs: options.inductionInputs,
  };
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new RangeError(`${name} is ${value}; accepted are integers from 1`);
  const { timeLimitSeconds, endTokens = [], program } = options;
  if (timeLimitSeconds !== undefined && !(Number.isFinite(timeLimitSeconds) && timeLimitSeconds > 0))
    throw new RangeError(`timeLimitSeconds is ${timeLimitSeconds}; accepted are numbers above 0`);
  for (const token of endTokens)
    if (!Number.isInteger(token) || token < 0)
      throw new RangeError(`endTokens holds ${token}; accepted are token ids from 0`);
  if (program?.entry !== undefined && !ENTRY_RULES.includes(program.entry))
    throw new RangeError(`program.entry is ${String(program.entry)}; accepted are ${ENTRY_RULES.join(', ')}`);
}

/** The reference with most text; of equals the last one. */
function longest(references: readonly ProposalReference[], among: readonly number[]): number {
  const size = (i: number): number => {
    const reference = references[i];
    return reference === undefined
      ? 0
      : reference.code.length + reference.input.length + reference.output.length;
  };
  return among.reduce((best, i) => (size(i) >= size(best) ? i : best), among[0] ?? 0);
}

function requiredProgram(program: string | null): string {
  if (program === null) throw new TypeError('program is missing; the prompts of induction need it');
  return program;
}
