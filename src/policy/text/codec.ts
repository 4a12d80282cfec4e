/** The codec of policies over text: prompts of templates.ts through a tokenizer, responses back through extract.ts. */
import type { ParsedProposal, ParsedSolution, SolverView, TaskKind } from '../../tasks/types.js';
import type { Completion, PolicyCodec, Prompt } from '../codec.js';
import { extractProposal, extractSolution, type Wrapper } from './extract.js';
import {
  proposeInputsPrompt,
  proposeProgramPrompt,
  solveAbductionPrompt,
  solveDeductionPrompt,
  solveInductionPrompt,
  TEMPLATE_VERSION,
  wrap,
} from './templates.js';

export interface Tokenizer {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
}

export interface TextCodecOptions {
  readonly tokenizer: Tokenizer;
  readonly wrapper: Wrapper;
  readonly maxResponseTokens: number;
  /** Left out of the decoded text when it ends a completion. */
  readonly endToken?: number;
  /** The published number is 10. */
  readonly inductionInputs?: number;
  readonly rejectMultipleFunctions?: boolean;
}

export function createTextCodec(options: TextCodecOptions): PolicyCodec {
  const { tokenizer, wrapper, maxResponseTokens, endToken, inductionInputs = 10 } = options;
  const rules = {
    wrapper,
    inductionInputs,
    rejectMultipleFunctions: options.rejectMultipleFunctions ?? true,
  };
  const prompt = (task: string): Prompt => {
    const text = wrap(task, wrapper);
    return { text, tokens: tokenizer.encode(text), maxTokens: maxResponseTokens };
  };
  const responseOf = ({ tokens }: Pick<Completion, 'tokens'>): string =>
    tokenizer.decode(endToken !== undefined && tokens.at(-1) === endToken ? tokens.slice(0, -1) : tokens);
  return {
    templateVersion: TEMPLATE_VERSION,
    proposePrompt(kind, references, program): Prompt {
      if (kind !== 'induction') return prompt(proposeProgramPrompt(kind, references));
      if (program === null) throw new TypeError('program is missing; an induction proposal is about one');
      return prompt(proposeInputsPrompt(program, inductionInputs));
    },
    parseProposal(kind: TaskKind, completion: Completion, program: string | null): ParsedProposal {
      return extractProposal(kind, responseOf(completion), program, rules);
    },
    solvePrompt(kind: TaskKind, view: SolverView): Prompt {
      switch (kind) {
        case 'deduction':
          return prompt(solveDeductionPrompt(view));
        case 'abduction':
          return prompt(solveAbductionPrompt(view));
        case 'induction':
          return prompt(solveInductionPrompt(view));
      }
    },
    parseSolution(kind: TaskKind, completion: Completion): ParsedSolution {
      return extractSolution(kind, responseOf(completion), wrapper);
    },
    text: (tokens) => tokenizer.decode(tokens),
  };
}
