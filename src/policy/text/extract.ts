/**
 * What an answer says: programs, inputs and a message of a proposal; an output, an input or a
 * program of a solution. Blocks are found by their tags; where a block is missing, weaker marks count as the published
 * parser has them.
 *
 *   program   first (proposal) or last (solution) ```python block; else the first or last block without a tag
 *   input     ```input block, else a line `# Input:` and what follows up to a fence
 *   solution  last ```input or ```output block, else `# Input:`, `input(...)`, <input>...</input>, `the input is ...`,
 *             the last block without a tag, the whole answer
 *
 * Deviations from the published code: a program never comes from a block with another tag (its first block of any kind
 * was taken); equal inputs of an induction proposal count once.
 */
import type { AnswerReader, ProposalText, SolutionText } from '../../tasks/types.js';
import {
  lastIndexIgnoringCase,
  lineAt,
  linesOf,
  skipBlanks,
  standsAt,
  trimBlankLines,
} from './characters.js';
import { isOpeningFence, parseFences, type FencedBlock } from './fences.js';
import { readLogicalLines } from './python-lexer.js';

/** @param inductionInputs how many inputs an induction proposal needs. */
export function readAnswer(answer: string, inductionInputs: number): AnswerReader {
  return {
    programAndInput: () => extractPair(answer),
    inputsAndMessage: () => extractInduction(answer, inductionInputs),
    literal: (name) => extractLiteral(answer, name),
    program: () => extractProgram(answer),
  };
}

const PROGRAM_TAGS: ReadonlySet<string> = new Set(['python', 'python3', 'py']);

/** A proposed program and an input for it. */
function extractPair(answer: string): ProposalText {
  const blocks = parseFences(answer);
  const program = programBlock(blocks, 'first');
  if (program === undefined)
    return { ok: false, reason: 'no-program', detail: `no python block among ${described(blocks)}` };
  const block = blocks.find(isInput);
  const input = block?.content.trim() ?? markedText(answer, 'input') ?? '';
  if (input === '')
    return { ok: false, reason: 'no-input', detail: `no text in an input block among ${described(blocks)}` };
  const wellFormed = program.closed && PROGRAM_TAGS.has(program.tag) && block?.closed === true;
  return { ok: true, wellFormed, code: trimBlankLines(program.content), inputs: [input], message: null };
}

/** Inputs and a message for a given program: the last `count` different inputs. */
function extractInduction(answer: string, count: number): ProposalText {
  const blocks = parseFences(answer);
  const written = blocks.filter(isInput);
  const inputs = [...new Set(written.map(({ content }) => content.trim()))].filter((input) => input !== '');
  if (inputs.length < count)
    return {
      ok: false,
      reason: 'too-few-inputs',
      detail: `${inputs.length} different inputs in ${written.length} input blocks; needed are ${count}`,
    };
  const block = blocks.find(({ tag }) => tag === 'message');
  const message =
    block?.content.trim() ?? taggedText(answer, 'message') ?? markedText(answer, 'message') ?? '';
  if (message === '')
    return {
      ok: false,
      reason: 'no-message',
      detail: `no text in a message block among ${described(blocks)}`,
    };
  const wellFormed = written.every(({ closed }) => closed) && block?.closed === true;
  return { ok: true, wellFormed, code: null, inputs: inputs.slice(-count), message };
}

/** A solver's program. */
function extractProgram(answer: string): SolutionText {
  const block = programBlock(parseFences(answer), 'last');
  const code = block === undefined ? '' : trimBlankLines(block.content);
  return code === ''
    ? { wellFormed: false, answer: null }
    : { wellFormed: block?.closed === true, answer: code };
}

/** A solver's output or input. */
function extractLiteral(answer: string, name: 'input' | 'output'): SolutionText {
  const blocks = parseFences(answer);
  const block = blocks.findLast(({ tag }) => tag === name);
  const text =
    block?.content ??
    markedText(answer, name) ??
    calledText(answer, name) ??
    taggedText(answer, name) ??
    statedText(answer, name) ??
    blocks.findLast(({ tag }) => tag === '')?.content ??
    answer;
  const trimmed = text.trim();
  return { wellFormed: block?.closed === true, answer: trimmed === '' ? null : trimmed };
}

function programBlock(blocks: readonly FencedBlock[], which: 'first' | 'last'): FencedBlock | undefined {
  const find = (accepts: (block: FencedBlock) => boolean): FencedBlock | undefined =>
    which === 'first' ? blocks.find(accepts) : blocks.findLast(accepts);
  return find(({ tag }) => PROGRAM_TAGS.has(tag)) ?? find(({ tag }) => tag === '');
}

/** `input`, or numbered as the solver's prompt numbers them: `input_3`. */
function isInput({ tag }: FencedBlock): boolean {
  if (tag === 'input') return true;
  if (!tag.startsWith('input_') || tag.length === 6) return false;
  for (let at = 6; at < tag.length; at++) {
    const code = tag.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function described(blocks: readonly FencedBlock[]): string {
  if (blocks.length === 0) return 'no blocks at all';
  const shown = blocks.slice(0, 12).map(({ tag }) => (tag === '' ? '(no tag)' : tag.slice(0, 20)));
  return `${blocks.length} blocks: ${shown.join(', ')}${blocks.length > shown.length ? ', ...' : ''}`;
}

/** After the last line that begins with `# Name:`, up to a line that is a fence, or to the end. */
function markedText(text: string, name: string): string | undefined {
  const marker = `# ${name}:`;
  let from: number | undefined;
  for (const line of linesOf(text)) {
    const start = skipBlanks(text, line.start, line.end);
    if (standsAt(text, marker, start)) from = start + marker.length;
  }
  if (from === undefined) return undefined;
  let end = text.length;
  for (const line of linesOf(text, lineAt(text, from).next))
    if (isOpeningFence(text, line)) {
      end = line.start;
      break;
    }
  return nonEmpty(text.slice(from, end));
}

/** Between the brackets of the last `name(...)`. */
function calledText(text: string, name: string): string | undefined {
  const at = lastIndexIgnoringCase(text, `${name}(`);
  if (at < 0) return undefined;
  const call = text.slice(at);
  for (const { tokens } of readLogicalLines(call))
    for (const token of tokens)
      if (token.text === ')' && token.depth === 0) return nonEmpty(call.slice(name.length + 1, token.start));
  return undefined;
}

/** Between the last `<name>` and the `</name>` after it. */
function taggedText(text: string, name: string): string | undefined {
  const from = text.lastIndexOf(`<${name}>`);
  if (from < 0) return undefined;
  const end = text.indexOf(`</${name}>`, from);
  return end < 0 ? undefined : nonEmpty(text.slice(from + name.length + 2, end));
}

/** After the last `the name is`, to the end, without the colon, the quoting backticks and the full stop of a sentence. */
function statedText(text: string, name: string): string | undefined {
  const statement = `the ${name} is`;
  const at = lastIndexIgnoringCase(text, statement);
  if (at < 0) return undefined;
  let said = text.slice(at + statement.length).trim();
  if (said.startsWith(':')) said = said.slice(1).trim();
  if (said.endsWith('.')) said = said.slice(0, -1).trim();
  if (said.length >= 2 && said.startsWith('`') && said.endsWith('`')) said = said.slice(1, -1).trim();
  return nonEmpty(said);
}

function nonEmpty(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed === '' ? undefined : trimmed;
}
