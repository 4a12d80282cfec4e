/**
 * Whether a statement only reads: the endpoint's read-only mode, decided on the text since the embedded engine cannot leave
 * its own read-only setting again.
 *
 * What stands in strings, quoted names, heredocs and comments is passed over. Read-only is one statement that begins with
 * a reading keyword and has neither INSERT INTO nor INTO OUTFILE in it. In doubt the answer is no.
 */
const READING = /^(?:select|with|show|describe|desc|explain|exists|check)\b/i;
const WRITING = /\binsert\s+into\b|\binto\s+outfile\b/i;

export function isReadOnly(statement: string): boolean {
  const bare = withoutQuotedText(statement)
    .trim()
    .replace(/;$/, '')
    .replace(/^[\s(]+/, '');
  return !bare.includes(';') && READING.test(bare) && !WRITING.test(bare);
}

/** The statement with every string, quoted name, heredoc and comment replaced by a blank. */
function withoutQuotedText(text: string): string {
  let bare = '';
  let at = 0;
  while (at < text.length) {
    const end = endOfQuoted(text, at);
    if (end === undefined) bare += text[at++] ?? '';
    else {
      bare += ' ';
      at = end;
    }
  }
  return bare;
}

/** The place behind what begins at `at`, if that is a string, a quoted name, a heredoc or a comment. */
function endOfQuoted(text: string, at: number): number | undefined {
  const behind = (needle: string, from: number): number => {
    const found = text.indexOf(needle, from);
    return found < 0 ? text.length : found + needle.length;
  };
  const c = text[at];
  if (c === "'" || c === '"' || c === '`') {
    let place = at + 1;
    while (place < text.length && text[place] !== c) place += text[place] === '\\' ? 2 : 1;
    return place + 1;
  }
  if (text.startsWith('--', at) || text.startsWith('#!', at) || text.startsWith('# ', at))
    return behind('\n', at);
  if (text.startsWith('/*', at)) return endOfComment(text, at);
  if (c === '$') {
    const tag = /^\$\w*\$/.exec(text.slice(at, at + 64))?.[0];
    if (tag !== undefined) return behind(tag, at + tag.length);
  }
  return undefined;
}

/** Comments nest in ClickHouse. */
function endOfComment(text: string, at: number): number {
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
