/**
 * Characters and lines, read without regular expressions: every function here touches a character a bounded number of
 * times, so that hostile text costs what its length costs.
 */

export const BACKTICK = 96;
export const TILDE = 126;
export const SPACE = 32;
const TAB = 9;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** A line without its ending (LF, CRLF or CR); offsets into the text. */
export interface Line {
  readonly start: number;
  readonly end: number;
  /** Where the following line starts; the text's length after the last line. */
  readonly next: number;
}

/** The line that starts at `start`. */
export function lineAt(text: string, start: number): Line {
  let end = start;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === LINE_FEED) return { start, end, next: end + 1 };
    if (code === CARRIAGE_RETURN)
      return { start, end, next: text.charCodeAt(end + 1) === LINE_FEED ? end + 2 : end + 1 };
    end++;
  }
  return { start, end, next: end };
}

/** All lines in order; a text that ends with a line ending has no empty last line. */
export function* linesOf(text: string, from = 0): Generator<Line, void, undefined> {
  for (let start = from; start < text.length;) {
    const line = lineAt(text, start);
    yield line;
    start = line.next;
  }
}

export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

export function isLineEnd(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN;
}

/** Blanks, line endings and the Unicode spaces that `String.prototype.trim` removes. */
export function isSpace(code: number): boolean {
  return (
    code === SPACE ||
    (code >= TAB && code <= CARRIAGE_RETURN) ||
    code === 0xa0 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

/** Offset of the first character from `from` on, before `end`, that is no space; `end` if there is none. */
export function skipSpaces(text: string, from: number, end = text.length): number {
  let at = from;
  while (at < end && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Offset of the first character that is neither blank nor tab, within [from, end). */
export function skipBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Whether `needle`, given in lower case, stands at `at`, whatever the case of its ASCII letters. */
export function standsAt(text: string, needle: string, at: number): boolean {
  if (at < 0 || at + needle.length > text.length) return false;
  for (let i = 0; i < needle.length; i++) {
    const code = text.charCodeAt(at + i);
    const lower = code >= 65 && code <= 90 ? code + 32 : code;
    if (lower !== needle.charCodeAt(i)) return false;
  }
  return true;
}

/** Last offset at which `needle`, given in lower case, stands in whatever case; -1 if nowhere. */
export function lastIndexIgnoringCase(text: string, needle: string): number {
  for (let at = text.length - needle.length; at >= 0; at--) if (standsAt(text, needle, at)) return at;
  return -1;
}

/** The text without blank lines at its start and without spaces at its end; the first line keeps its indentation. */
export function trimBlankLines(text: string): string {
  let start = 0;
  while (start < text.length) {
    const line = lineAt(text, start);
    if (skipSpaces(text, line.start, line.end) < line.end) break;
    start = line.next;
  }
  return text.slice(start).trimEnd();
}
