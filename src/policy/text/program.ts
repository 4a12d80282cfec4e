/**
 * What a program text defines at its top level, read line by line with Python's own idea of what a line is: inside
 * strings and brackets, and behind a backslash, a line goes on. Nested functions and methods are indented and not counted
 * (the published code counts them, and so refuses the class-based programs that its prompt invites).
 */
export interface ProgramOutline {
  /** Names of top-level functions, in order. */
  readonly functions: readonly string[];
  /** Import statements at any depth, one a line, in order. */
  readonly imports: readonly string[];
}

export function outlineOf(code: string): ProgramOutline {
  const functions: string[] = [];
  const imports: string[] = [];
  for (const line of logicalLines(code)) {
    const definition = /^(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)[ \t]*\(/.exec(line);
    if (definition?.[1] !== undefined) functions.push(definition[1]);
    const statement = line.trim();
    if (/^(?:import|from)[ \t]/.test(statement)) imports.push(statement);
  }
  return { functions, imports };
}

/** Lines as Python joins them; the inside of strings is blanked out. */
function* logicalLines(code: string): Generator<string> {
  let line = '';
  let depth = 0;
  let at = 0;
  while (at < code.length) {
    const c = code[at] ?? '';
    if (c === '#') {
      const end = code.indexOf('\n', at);
      at = end < 0 ? code.length : end;
    } else if (c === '"' || c === "'") {
      at = endOfString(code, at, c);
      line += c + c;
    } else if (c === '\\' && (code[at + 1] === '\n' || code.startsWith('\r\n', at + 1))) {
      at += code[at + 1] === '\n' ? 2 : 3;
      line += ' ';
    } else if (c === '\n') {
      if (depth === 0) {
        yield line;
        line = '';
      } else line += ' ';
      at += 1;
    } else {
      if (c === '(' || c === '[' || c === '{') depth += 1;
      if ((c === ')' || c === ']' || c === '}') && depth > 0) depth -= 1;
      if (c !== '\r') line += c;
      at += 1;
    }
  }
  yield line;
}

/** The place behind a string that begins at `at`; one that nothing ends stops at its line's end, a triple one at the text's. */
function endOfString(code: string, at: number, quote: string): number {
  const triple = code.startsWith(quote.repeat(3), at);
  const closing = triple ? quote.repeat(3) : quote;
  let place = at + closing.length;
  while (place < code.length) {
    if (code[place] === '\\') place += 2;
    else if (code.startsWith(closing, place)) return place + closing.length;
    else if (!triple && code[place] === '\n') return place;
    else place += 1;
  }
  return code.length;
}

/** The program with its entry function named f: `def name(` and calls `name(`, outside strings. */
export function renameEntry(code: string, name: string): string {
  if (name === 'f') return code;
  let out = '';
  let at = 0;
  while (at < code.length) {
    const c = code[at] ?? '';
    if (c === '"' || c === "'") {
      const end = endOfString(code, at, c);
      out += code.slice(at, end);
      at = end;
    } else if (c === '#') {
      const end = code.indexOf('\n', at);
      const stop = end < 0 ? code.length : end;
      out += code.slice(at, stop);
      at = stop;
    } else if (/[A-Za-z_]/.test(c)) {
      let end = at + 1;
      while (end < code.length && /\w/.test(code[end] ?? '')) end += 1;
      const word = code.slice(at, end);
      const isCall = /^[ \t]*\(/.test(code.slice(end, end + 16));
      out += word === name && isCall && code[at - 1] !== '.' ? 'f' : word;
      at = end;
    } else {
      out += c;
      at += 1;
    }
  }
  return out;
}
