/**
 * What a proposed program is made of, found in its text: its top-level functions, the entry among them, its imports
 * (as published). The entry is renamed to `f`.
 *
 * Deviations from the published code: only functions at the top level count (nested ones and methods did too, so that
 * programs with classes were refused); the renaming follows names, not text, and leaves attributes, methods, keyword
 * arguments, imported names, strings and comments alone; where `f` already means something else in the program, the
 * program keeps its names and ends with `f = <entry>`.
 */
import { MAX_CODE_BYTES } from '../../sandbox/limits.js';
import { split } from '../split.js';
import {
  namesInFormattedString,
  readLogicalLines,
  type LogicalLine,
  type PythonToken,
} from './python-lexer.js';

/** Which function is the entry (f_replace_location): the first or last one, where there is an `f` that one or not. */
export type EntryRule = 'not_first' | 'any_last' | 'any_first' | 'not_last';
export const ENTRY_RULES: readonly EntryRule[] = ['not_first', 'any_last', 'any_first', 'not_last'];

export interface ProgramRules {
  /** Default `any_last`: `f`, or else the last one. */
  readonly entry?: EntryRule;
  /** Refuses programs of several top-level functions (reject_multiple_functions). Default true, as published. */
  readonly rejectMultipleFunctions?: boolean;
}

export type ProgramReading =
  | { readonly ok: true; readonly code: string; readonly imports: readonly string[] }
  | {
      readonly ok: false;
      readonly reason: 'code-too-long' | 'no-function' | 'multiple-functions';
      readonly detail: string;
    };

const ENTRY = 'f';

/** Reads a proposed program. Line endings become LF. */
export function readProgram(source: string, rules: ProgramRules = {}): ProgramReading {
  const bytes = Buffer.byteLength(source);
  if (bytes > MAX_CODE_BYTES)
    return {
      ok: false,
      reason: 'code-too-long',
      detail: `${bytes} bytes; accepted are up to ${MAX_CODE_BYTES}`,
    };
  const code = source.replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  const lines = readLogicalLines(code);
  const functions = [...new Set(functionsOf(lines))];
  if (functions.length === 0)
    return { ok: false, reason: 'no-function', detail: 'no function is defined at the top level' };
  if ((rules.rejectMultipleFunctions ?? true) && functions.length > 1)
    return {
      ok: false,
      reason: 'multiple-functions',
      detail: `functions at the top level: ${functions.join(', ')}; accepted is one`,
    };
  const entry = entryOf(functions, assignsEntry(lines), rules.entry ?? 'any_last');
  return { ok: true, code: withEntryNamed(code, lines, entry), imports: importsOf(lines) };
}

/** Names of the functions defined at the top level, in order. */
export function topLevelFunctions(source: string): string[] {
  return functionsOf(readLogicalLines(source));
}

/** Every import statement of the program, wherever it stands, on one line each, without repeats. */
export function collectImports(source: string): string[] {
  return importsOf(readLogicalLines(source));
}

/** The program with every use of its entry `f` under another name. */
export function withEntryRenamed(source: string, name: string): string {
  return renamed(source, usesOf(readLogicalLines(source)), ENTRY, name);
}

/**
 * Names bound by the statements at the top level that begin a line without indentation: functions, classes, imports and
 * assignments. With each name the statement that imports it; an empty text where it is not imported.
 */
export function topLevelNames(source: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const { indent, tokens } of readLogicalLines(source)) {
    if (indent > 0) continue;
    const words = tokens.map(({ text }) => text);
    const start = words[0] === 'async' ? 1 : 0;
    if (words[start] === 'def' || words[start] === 'class') names.set(words[start + 1] ?? '', '');
    else if (words[0] === 'import' || words[0] === 'from') {
      const statement = importText(tokens) ?? '';
      const items = words.slice(words[0] === 'import' ? 1 : words.indexOf('import') + 1).filter(isNoBracket);
      for (const item of split(items, ',')) {
        const name = item.includes('as') ? item.at(-1) : item[0];
        if (name !== undefined) names.set(name, statement);
      }
    } else {
      const equals = tokens.findLastIndex(
        ({ text, depth }, i) => text === '=' && depth === 0 && words[i + 1] !== '=' && words[i - 1] !== '=',
      );
      for (const [i, token] of tokens.slice(0, Math.max(equals, 0)).entries())
        if (token.kind === 'name' && words[i - 1] !== '.') names.set(token.text, '');
    }
  }
  return names;
}

const isNoBracket = (word: string): boolean => word !== '(' && word !== ')';

function functionsOf(lines: readonly LogicalLine[]): string[] {
  return lines.flatMap(({ indent, tokens }) => {
    const [first, second] = tokens;
    return indent === 0 && first?.text === 'def' && second?.kind === 'name' ? [second.text] : [];
  });
}

function assignsEntry(lines: readonly LogicalLine[]): boolean {
  return lines.some(
    ({ indent, tokens }) =>
      indent === 0 && tokens[0]?.text === ENTRY && tokens[1]?.text === '=' && tokens[2]?.text !== '=',
  );
}

function entryOf(functions: readonly string[], assigned: boolean, rule: EntryRule): string {
  const hasEntry = assigned || functions.includes(ENTRY);
  if (hasEntry && (rule === 'any_last' || rule === 'any_first')) return ENTRY;
  const name = rule === 'not_first' || rule === 'any_first' ? functions[0] : functions.at(-1);
  return name ?? ENTRY;
}

function withEntryNamed(code: string, lines: readonly LogicalLine[], entry: string): string {
  if (entry === ENTRY) return code;
  const uses = usesOf(lines);
  if (uses.some(({ text }) => text === ENTRY)) return `${code.trimEnd()}\n\n${ENTRY} = ${entry}\n`;
  return renamed(code, uses, entry, ENTRY);
}

function renamed(code: string, uses: readonly Use[], name: string, replacement: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const { text, start, end } of uses) {
    if (text !== name) continue;
    parts.push(code.slice(from, start), replacement);
    from = end;
  }
  parts.push(code.slice(from));
  return parts.join('');
}

interface Use {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Names that stand for variables, in order. */
function usesOf(lines: readonly LogicalLine[]): Use[] {
  const uses: Use[] = [];
  const scopes: { indent: number; isClass: boolean }[] = [];
  for (const { indent, tokens } of lines) {
    while ((scopes.at(-1)?.indent ?? -1) >= indent) scopes.pop();
    const inClass = scopes.at(-1)?.isClass === true;
    const keyword = tokens[0]?.text === 'async' ? tokens[1]?.text : tokens[0]?.text;
    const defines = keyword === 'def';
    if (defines || keyword === 'class') scopes.push({ indent, isClass: !defines });
    let importing = false;
    let inHeader = defines;
    tokens.forEach((token, i) => {
      if (startsStatement(tokens, i)) importing = token.text === 'import' || token.text === 'from';
      if (token.text === ':' && token.depth === 0) inHeader = false;
      if (token.kind === 'string') for (const use of namesInFormattedString(token)) uses.push(use);
      if (token.kind !== 'name') return;
      const before = tokens[i - 1]?.text;
      const isAttribute = before === '.';
      const isImported = importing && before !== 'as';
      const isMethod = inClass && before === 'def';
      if (!isAttribute && !isImported && !isMethod && !isKeywordArgument(tokens, i, inHeader))
        uses.push(token);
    });
  }
  return uses;
}

function isKeywordArgument(tokens: readonly PythonToken[], i: number, inHeader: boolean): boolean {
  const token = tokens[i];
  const before = tokens[i - 1]?.text;
  return (
    token !== undefined &&
    token.depth > (inHeader ? 1 : 0) &&
    (before === '(' || before === ',') &&
    tokens[i + 1]?.text === '=' &&
    tokens[i + 2]?.text !== '='
  );
}

/** At a line's start, after a semicolon, or after the colon of a compound statement on one line. */
function startsStatement(tokens: readonly PythonToken[], i: number): boolean {
  const before = tokens[i - 1];
  return before === undefined || (before.depth === 0 && (before.text === ';' || before.text === ':'));
}

function importsOf(lines: readonly LogicalLine[]): string[] {
  const imports = new Set<string>();
  for (const { tokens } of lines)
    for (let i = 0; i < tokens.length; i++) {
      const keyword = tokens[i]?.text;
      if ((keyword !== 'import' && keyword !== 'from') || !startsStatement(tokens, i)) continue;
      let end = i + 1;
      while (end < tokens.length && !(tokens[end]?.text === ';' && tokens[end]?.depth === 0)) end++;
      const statement = importText(tokens.slice(i, end));
      if (statement !== undefined) imports.add(statement);
      i = end;
    }
  return [...imports];
}

/** `import a.b as c, d` or `from ..a import b as c, d`; undefined where nothing is imported. */
function importText(tokens: readonly PythonToken[]): string | undefined {
  if (tokens.length < 2 || (tokens[0]?.text === 'from' && !tokens.some(({ text }) => text === 'import')))
    return undefined;
  let text = '';
  let glued = true;
  for (const token of tokens) {
    if (token.text === '(' || token.text === ')') continue;
    if (token.text === ',') {
      text += ',';
      glued = false;
    } else if (token.text === '.') {
      // The dots of `from . import` stand off from the keyword, the ones inside a name do not.
      text += text === 'from' ? ' .' : '.';
      glued = true;
    } else {
      text += glued && token.text !== 'import' ? token.text : text === '' ? token.text : ` ${token.text}`;
      glued = false;
    }
  }
  return text.endsWith(',') ? text.slice(0, -1) : text;
}
