/** From a response to its parts: think and answer, program, input, message (azr-spec, section 5, its defects mended). */
import type { ParsedProposal, ParsedSolution, TaskKind } from '../../tasks/types.js';
import { fencedBlocks, type FencedBlock } from './fences.js';
import { outlineOf, renameEntry } from './program.js';

/** `answer`: think and answer tags; `boxed` and `none`: the whole response is the answer. */
export type Wrapper = 'answer' | 'boxed' | 'none';

export interface ResponseParts {
  /** The format score: a think block, blanks, then an answer block. */
  readonly formatOk: boolean;
  readonly thought: string | null;
  readonly answer: string;
}

/** The prompt ends inside the think block, so the response's own text begins there. */
export function splitResponse(response: string, wrapper: Wrapper): ResponseParts {
  if (wrapper !== 'answer') return { formatOk: true, thought: null, answer: response.trim() };
  const begun = response.startsWith('<think>') ? response.slice('<think>'.length) : response;
  const thinkEnd = begun.indexOf('</think>');
  const thought = (thinkEnd < 0 ? begun : begun.slice(0, thinkEnd)).trim();
  const open = begun.lastIndexOf('<answer>');
  if (open < 0) return { formatOk: false, thought, answer: '' };
  const close = begun.indexOf('</answer>', open);
  const answer = begun.slice(open + '<answer>'.length, close < 0 ? undefined : close).trim();
  const between = thinkEnd < 0 ? '' : begun.slice(thinkEnd + '</think>'.length);
  return { formatOk: thinkEnd >= 0 && close >= 0 && /^\s*<answer>/.test(between), thought, answer };
}

const tagged = (blocks: readonly FencedBlock[], ...tags: readonly string[]): FencedBlock[] =>
  blocks.filter(({ tag }) => tags.includes(tag));

export interface ProposalRules {
  readonly wrapper: Wrapper;
  /** Refuse programs with more than one top-level function. */
  readonly rejectMultipleFunctions: boolean;
  /** Inputs that an induction proposal must give. */
  readonly inductionInputs: number;
}

export function extractProposal(
  kind: TaskKind,
  response: string,
  program: string | null,
  rules: ProposalRules,
): ParsedProposal {
  const { formatOk, thought, answer } = splitResponse(response, rules.wrapper);
  const fail = (reason: string, detail: string): ParsedProposal => ({ ok: false, formatOk, reason, detail });
  const blocks = fencedBlocks(answer);
  const inputs = tagged(blocks, 'input').map(({ content }) => content.trim());
  if (kind === 'induction') {
    if (program === null) throw new TypeError('program is missing; an induction proposal is about one');
    if (inputs.length < rules.inductionInputs)
      return fail('too-few-inputs', `${inputs.length} input blocks; ${rules.inductionInputs} are asked for`);
    const message = tagged(blocks, 'message')[0]?.content.trim();
    if (message === undefined || message === '') return fail('no-message', 'no message block');
    const { imports } = outlineOf(program);
    return {
      ok: true,
      formatOk,
      code: program,
      originalCode: program,
      inputs: inputs.slice(-rules.inductionInputs),
      message,
      imports,
      thought,
    };
  }
  // Only blocks that say they are Python, or say nothing: an input block that stands first is no program.
  const code = (tagged(blocks, 'python', 'py', 'python3')[0] ?? tagged(blocks, '')[0])?.content.trim();
  if (code === undefined || code === '') return fail('no-program', 'no python block');
  const [input] = inputs;
  if (input === undefined) return fail('no-input', 'no input block');
  const { functions, imports } = outlineOf(code);
  const [entry] = functions;
  if (entry === undefined) return fail('no-function', 'no function is defined at the top level');
  if (functions.length > 1 && rules.rejectMultipleFunctions)
    return fail('several-functions', `top-level functions are ${functions.join(', ')}; one is accepted`);
  const name = functions.includes('f') ? 'f' : entry;
  return {
    ok: true,
    formatOk,
    code: renameEntry(code, name),
    originalCode: code,
    inputs: [input],
    message: null,
    imports,
    thought,
  };
}

/** The last block of the asked-for kind; without one, the answer's whole text, except for programs. */
export function extractSolution(kind: TaskKind, response: string, wrapper: Wrapper): ParsedSolution {
  const { formatOk, thought, answer } = splitResponse(response, wrapper);
  const blocks = fencedBlocks(answer);
  if (kind === 'induction') {
    const code = [...tagged(blocks, 'python', 'py', 'python3', '')].at(-1)?.content.trim();
    if (code === undefined || code === '') return { formatOk: false, thought, answer: null };
    const { functions } = outlineOf(code);
    const name = functions.includes('f') ? 'f' : functions[0];
    return { formatOk, thought, answer: name === undefined ? code : renameEntry(code, name) };
  }
  const tag = kind === 'abduction' ? 'input' : 'output';
  const text =
    tagged(blocks, tag).at(-1)?.content.trim() ?? (wrapper === 'boxed' ? boxed(answer) : undefined) ?? answer;
  return { formatOk, thought, answer: text === '' ? null : text };
}

/** What the last \boxed{...} holds, braces balanced. */
function boxed(text: string): string | undefined {
  const at = text.lastIndexOf('\\boxed{');
  if (at < 0) return undefined;
  let depth = 1;
  const begin = at + '\\boxed{'.length;
  for (let i = begin; i < text.length; i++) {
    if (text[i] === '{') depth += 1;
    if (text[i] === '}' && --depth === 0) return text.slice(begin, i).trim();
  }
  return undefined;
}
