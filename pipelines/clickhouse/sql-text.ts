/**
 * SQL text, cut as ClickHouse's lexer cuts it: far enough to tell code from strings, quoted names, heredocs and comments,
 * and one statement from several.
 */

export interface SqlText {
  /** The first statement, without the closing semicolon and what stands behind it. */
  readonly statement: string;
  /** Its code in upper case, quoted text as `?`, comments left out, single blanks: `SELECT ? INTO OUTFILE ?`. */
  readonly code: string;
  /** Whether another statement follows. */
  readonly several: boolean;
}

export function readSql(text: string): SqlText {
  const code = codeOf(text);
  const semicolon = code.indexOf(';');
  const own = (semicolon < 0 ? code : code.slice(0, semicolon)).trimEnd();
  return {
    // Without a comment at its end, which would swallow what a caller appends.
    statement: text.slice(0, own.length).trim(),
    code: own
      .replace(/\?+/g, '?')
      .replace(/[a-z]+/g, (word) => word.toUpperCase())
      .trim()
      .replace(/\s+/g, ' '),
    several: semicolon >= 0 && /[^\s;]/.test(code.slice(semicolon)),
  };
}

/** The text at its length: question marks for each quoted text, blanks for each comment. */
function codeOf(text: string): string {
  let code = '';
  while (code.length < text.length) {
    const at = code.length;
    const comment = endOfComment(text, at);
    const quoted = endOfQuoted(text, at);
    if (comment !== undefined) code += ' '.repeat(Math.min(comment, text.length) - at);
    else if (quoted !== undefined) code += '?'.repeat(Math.min(quoted, text.length) - at);
    else code += text[at] ?? '';
  }
  return code;
}

/** The place behind the comment that begins at `at`; undefined where none does. */
function endOfComment(text: string, at: number): number | undefined {
  if (text.startsWith('--', at) || text.startsWith('#!', at) || text.startsWith('# ', at))
    return behind(text, '\n', at);
  if (!text.startsWith('/*', at)) return undefined;
  // They nest.
  let depth = 0;
  for (let place = at; place < text.length; place++) {
    if (text.startsWith('/*', place)) {
      depth += 1;
      place += 1;
    } else if (text.startsWith('*/', place)) {
      depth -= 1;
      place += 1;
      if (depth === 0) return place + 1;
    }
  }
  return text.length;
}

/** The place behind the string, quoted name or heredoc that begins at `at`; undefined where none does. */
function endOfQuoted(text: string, at: number): number | undefined {
  const quote = text[at];
  if (quote === "'" || quote === '"' || quote === '`') {
    let place = at + 1;
    while (place < text.length && text[place] !== quote) place += text[place] === '\\' ? 2 : 1;
    return place + 1;
  }
  const tag = quote === '$' ? /^\$\w*\$/.exec(text.slice(at, at + 64))?.[0] : undefined;
  return tag === undefined ? undefined : behind(text, tag, at + tag.length);
}

function behind(text: string, needle: string, from: number): number {
  const found = text.indexOf(needle, from);
  return found < 0 ? text.length : found + needle.length;
}
