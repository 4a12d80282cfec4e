/**
 * Answers that a solver might give, made from right ones: texts of literals and programs with one spot changed.
 *
 * All answers of a step differ as texts, so that neither side of the bench wins anything by remembering verdicts.
 */
import type { Random } from '../../src/random.js';

/** Positions of digits and of letters inside quotes: what can be changed so that a literal stays a literal. */
function spots(text: string): number[] {
  const found: number[] = [];
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (quote === '') {
      if (c === "'" || c === '"') quote = c;
      else if (/\d/.test(c) && !/[\d._eExXjJ]/.test(text.charAt(i + 1))) found.push(i);
    } else if (c === '\\') i++;
    else if (c === quote) quote = '';
    else if (/[a-zA-Z0-9]/.test(c)) found.push(i);
  }
  return found;
}

function changed(text: string, at: number, random: Random): string {
  const c = text.charAt(at);
  const [low, size] = /\d/.test(c) ? [48, 10] : c >= 'a' ? [97, 26] : [65, 26];
  const moved = low + ((c.charCodeAt(0) - low + 1 + random.below(size - 1)) % size);
  return text.slice(0, at) + String.fromCharCode(moved) + text.slice(at + 1);
}

/** `count` different texts: the right one first, then ones with a digit or a letter changed. */
export function literalAnswers(right: string, count: number, random: Random): string[] {
  const answers = new Set([right]);
  const where = spots(right);
  for (let tries = 0; where.length > 0 && answers.size < count && tries < 20 * count; tries++)
    answers.add(changed(right, where[random.below(where.length)] ?? 0, random));
  // Nothing (more) to change, as in `True`: the same value in other words.
  while (answers.size < count) answers.add(`${right}${' '.repeat(answers.size)}`);
  return [...answers];
}

/** One integer constant, comparison or sign of a program changed; undefined where there is none. */
export function mutant(code: string, random: Random): string | undefined {
  const body = code.indexOf('def ');
  const found = [
    ...code.matchAll(/(?<![\w.'"])\d+(?![\w.'"])|(?<![<>-])[<>](?![<>])=?|(?<=\w )[+-](?= \w)/g),
  ].filter(({ index }) => index > body && !insideQuotes(code, index));
  const spot = found[random.below(Math.max(1, found.length))];
  if (spot === undefined) return undefined;
  const other = { '<': '<=', '<=': '<', '>': '>=', '>=': '>', '+': '-', '-': '+' }[spot[0]];
  // The arrow of an annotation is no comparison.
  if (spot[0] === '>' && code.charAt(spot.index - 1) === '-') return undefined;
  return (
    code.slice(0, spot.index) +
    (other ?? String(Number(spot[0]) + 1)) +
    code.slice(spot.index + spot[0].length)
  );
}

function insideQuotes(code: string, at: number): boolean {
  const line = code.slice(code.lastIndexOf('\n', at - 1) + 1, at);
  return (line.match(/["']/g) ?? []).length % 2 === 1;
}

/** The same program under another text. */
export function retold(code: string, attempt: string): string {
  return `# attempt ${attempt}\n${code}`;
}
