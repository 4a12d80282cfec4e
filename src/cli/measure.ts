/** `azr measure`: the intrinsic measures of programs and of pairs of programs, for JSON lines. */
import type { Command } from 'commander';
import { astEditDistance } from '../reward/intrinsic/ast-edit-distance.js';
import { programMeasures } from '../reward/intrinsic/measures.js';
import { stream } from '../sandbox/jsonl.js';
import type { ParseResult, RewriteResult, Sandbox } from '../sandbox/port.js';
import { answerLines, type SandboxLineOptions } from './sandbox-lines.js';

type Item =
  | { readonly kind: 'program'; readonly snippet: string }
  | { readonly kind: 'pair'; readonly a: string; readonly b: string };

interface Line {
  readonly id: unknown;
  readonly item: Item;
}

export function addMeasureCommand(program: Command): void {
  program
    .command('measure')
    .description(
      'lines {id, snippet} in, {id, complexity, halstead, ...} out; lines {id, a, b} in, {id, distance} out',
    )
    .argument('<file>', 'JSON lines, or - for standard input')
    .option('--workers <n>', 'sandbox workers', '1')
    .option('--unsafe-no-isolation', 'parse without a sandbox; no program is run in either case')
    .addHelpText(
      'after',
      `
  complexity            cognitive complexity / 15
  halstead              0.5 effort / 10000 + 0.3 cyclomatic complexity / 10 + 0.2 volume / 500, each up to its weight
  no_comments           the program without comments and docstrings
  defs_only, imports    its imports, functions and classes alone; its import statements
  distance              1 - similarity of the two syntax trees

What cannot be measured has 0 and says why in the field error. A malformed line is reported with its number on standard
error and skipped, and the exit code is then 2.`,
    )
    .action(async (file: string, options: SandboxLineOptions) => {
      await answerLines(file, options, (box, input) =>
        stream(input, process.stdout, process.stderr, itemOf, (lines) => answers(box, lines)),
      );
    });
}

function itemOf(value: Record<string, unknown>): Item {
  const { snippet, a, b } = value;
  if (snippet !== undefined) {
    if (a !== undefined || b !== undefined)
      throw new TypeError('the line has snippet and a or b; accepted is either snippet, or a and b');
    return { kind: 'program', snippet: textOf('snippet', snippet) };
  }
  if (a === undefined && b === undefined)
    throw new TypeError('snippet is missing; accepted is {id, snippet} or {id, a, b}');
  return { kind: 'pair', a: textOf('a', a), b: textOf('b', b) };
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  const got = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 100);
  throw new TypeError(`${name} is ${got}; accepted is the text of a program`);
}

/** Program bytes whose trees are held at once; a tree takes some hundred times its program's memory. */
const BYTES_TOGETHER = 1 << 20;

async function answers(box: Sandbox, lines: readonly Line[]): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  let group: Line[] = [];
  let bytes = 0;
  for (const line of lines) {
    group.push(line);
    bytes +=
      line.item.kind === 'program' ? line.item.snippet.length : line.item.a.length + line.item.b.length;
    if (bytes < BYTES_TOGETHER) continue;
    found.push(...(await groupAnswers(box, group)));
    group = [];
    bytes = 0;
  }
  return [...found, ...(await groupAnswers(box, group))];
}

async function groupAnswers(box: Sandbox, lines: readonly Line[]): Promise<readonly unknown[]> {
  const programs = lines.flatMap(({ item }) => (item.kind === 'program' ? [item.snippet] : []));
  const all = lines.flatMap(({ item }) => (item.kind === 'program' ? [item.snippet] : [item.a, item.b]));
  const [trees, rewritten] = await Promise.all([box.trees(all), box.rewrite(programs)]);
  const treeOf = new Map(all.map((code, i) => [code, trees[i] as ParseResult]));
  const rewriteOf = new Map(programs.map((code, i) => [code, rewritten[i] as RewriteResult]));
  return lines.map(({ id, item }) =>
    item.kind === 'pair'
      ? { id, ...pairAnswer(treeOf.get(item.a) as ParseResult, treeOf.get(item.b) as ParseResult) }
      : { id, ...programAnswer(item.snippet, treeOf.get(item.snippet) as ParseResult, rewriteOf) },
  );
}

function programAnswer(
  code: string,
  parsed: ParseResult,
  rewriteOf: ReadonlyMap<string, RewriteResult>,
): Record<string, unknown> {
  const { complexity, halstead } = programMeasures(parsed.ok ? parsed.tree : undefined);
  const texts = rewriteOf.get(code) as RewriteResult;
  // What does not parse stays as it is, as in the published code.
  const { noComments, defsOnly, imports } = texts.ok
    ? texts
    : {
        noComments: code,
        defsOnly: code,
        imports: code.split('\n').filter((line) => /^(import|from)\b/.test(line)),
      };
  const error = !parsed.ok ? parsed.error : texts.ok ? undefined : texts.error;
  return {
    complexity,
    halstead,
    no_comments: noComments,
    defs_only: defsOnly,
    imports,
    ...(error === undefined ? {} : { error }),
  };
}

function pairAnswer(a: ParseResult, b: ParseResult): { distance: number; error?: string } {
  if (!a.ok) return { distance: 0, error: `a: ${a.error}` };
  if (!b.ok) return { distance: 0, error: `b: ${b.error}` };
  const result = astEditDistance(a.tree, b.tree);
  return result.ok ? { distance: result.distance } : { distance: 0, error: result.error };
}
