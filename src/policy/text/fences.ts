/**
 * Fenced code blocks as CommonMark 0.31 (section 4.5) has them, read line by line:
 *
 *   opening   up to 3 spaces, at least 3 backticks or tildes, an info string (without backticks after backticks)
 *   closing   up to 3 spaces, the same character at least as often, then blanks only
 *   content   the lines between, less as many leading spaces as the opening fence had; to the end where nothing closes
 *
 * So a fence of four may hold a fence of three, and three backticks with a tag never close anything. Containers (lists,
 * quotations) are not read: a fence indented by four or more is text.
 */
import { BACKTICK, isBlank, lineAt, linesOf, skipBlanks, SPACE, TILDE, type Line } from './characters.js';

export interface FencedBlock {
  /** First word of the info string in lower case; empty where there is none. */
  readonly tag: string;
  /** Lines joined by LF, without a last line ending. */
  readonly content: string;
  /** False where the text ended before a closing fence. */
  readonly closed: boolean;
  /** Offset of the opening fence's line. */
  readonly start: number;
  /** Offset of the first content line. */
  readonly contentStart: number;
  /** Offset of the closing fence's line; the text's length where there is none. */
  readonly contentEnd: number;
}

interface Opening {
  readonly character: number;
  readonly length: number;
  readonly indent: number;
  readonly tag: string;
}

/**
 * All fenced blocks of a text, in order. Linear in the text. Beyond CommonMark, a closing fence may be followed by
 * `ending`: what ends the region the blocks stand in.
 */
export function parseFences(text: string, ending = ''): FencedBlock[] {
  const blocks: FencedBlock[] = [];
  for (let at = 0; at < text.length;) {
    const line = lineAt(text, at);
    at = line.next;
    const opening = openingOf(text, line);
    if (opening === undefined) continue;
    const content: string[] = [];
    let closed = false;
    let contentEnd = text.length;
    for (const inner of linesOf(text, line.next)) {
      at = inner.next;
      if (closes(text, inner, opening, ending)) {
        closed = true;
        contentEnd = inner.start;
        break;
      }
      content.push(text.slice(unindented(text, inner, opening.indent), inner.end));
    }
    blocks.push({
      tag: opening.tag,
      content: content.join('\n'),
      closed,
      start: line.start,
      contentStart: line.next,
      contentEnd,
    });
  }
  return blocks;
}

/** Whether a line can open a fenced block. */
export function isOpeningFence(text: string, line: Line): boolean {
  return openingOf(text, line) !== undefined;
}

/** Writes a fenced block around any content: its fence is longer than every run of backticks inside. */
export function fence(tag: string, content: string): string {
  let longest = 0;
  let run = 0;
  for (let at = 0; at < content.length; at++) {
    run = content.charCodeAt(at) === BACKTICK ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  const marks = '`'.repeat(Math.max(3, longest + 1));
  return `${marks}${tag}\n${content}\n${marks}`;
}

function openingOf(text: string, line: Line): Opening | undefined {
  const from = indented(text, line);
  if (from === undefined) return undefined;
  const character = text.charCodeAt(from);
  if (character !== BACKTICK && character !== TILDE) return undefined;
  const to = endOfRun(text, from, line.end, character);
  if (to - from < 3) return undefined;
  const wordStart = skipBlanks(text, to, line.end);
  let wordEnd = wordStart;
  while (wordEnd < line.end && !isBlank(text.charCodeAt(wordEnd))) wordEnd++;
  if (character === BACKTICK)
    for (let at = to; at < line.end; at++) if (text.charCodeAt(at) === BACKTICK) return undefined;
  return {
    character,
    length: to - from,
    indent: from - line.start,
    tag: text.slice(wordStart, wordEnd).toLowerCase(),
  };
}

function closes(text: string, line: Line, opening: Opening, ending: string): boolean {
  const from = indented(text, line);
  if (from === undefined || text.charCodeAt(from) !== opening.character) return false;
  const to = endOfRun(text, from, line.end, opening.character);
  if (to - from < opening.length) return false;
  const after = skipBlanks(text, to, line.end);
  return after === line.end || (ending !== '' && text.startsWith(ending, after));
}

/** Offset after at most 3 leading spaces; undefined where the line is blank or indented further. */
function indented(text: string, line: Line): number | undefined {
  const from = unindented(text, line, 3);
  return from < line.end && text.charCodeAt(from) !== SPACE ? from : undefined;
}

function unindented(text: string, line: Line, spaces: number): number {
  let at = line.start;
  while (at < line.end && at - line.start < spaces && text.charCodeAt(at) === SPACE) at++;
  return at;
}

function endOfRun(text: string, from: number, end: number, character: number): number {
  let at = from;
  while (at < end && text.charCodeAt(at) === character) at++;
  return at;
}
