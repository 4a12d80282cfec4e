/**
 * Measures of programs, parsed by the real sandbox: our own snippets, whose values follow from the definitions by hand
 * (`why`), and every published value of ../shared/data/golden/intrinsics.json where that file lies beside the checkout.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { astEditDistance } from '../../../src/reward/intrinsic/ast-edit-distance.js';
import { cognitiveComplexity } from '../../../src/reward/intrinsic/cognitive-complexity.js';
import { maxCyclomaticComplexity } from '../../../src/reward/intrinsic/cyclomatic-complexity.js';
import { halsteadMeasures } from '../../../src/reward/intrinsic/halstead.js';
import { programMeasures } from '../../../src/reward/intrinsic/measures.js';
import type { SyntaxNode } from '../../../src/reward/intrinsic/syntax-tree.js';
import { checkIsolation, createSandbox, type LocalSandbox } from '../../../src/sandbox/index.js';

interface Snippet {
  readonly name: string;
  readonly snippet: string;
  readonly cognitive: number;
  readonly cyclomatic: number;
  readonly h1: number;
  readonly h2: number;
  readonly N1: number;
  readonly N2: number;
}

type Published =
  | {
      readonly kind: 'snippet';
      readonly snippet: string;
      readonly complexity: number;
      readonly halstead: number;
      readonly no_comments: string;
      readonly defs_only: string;
      readonly imports: readonly string[];
    }
  | { readonly kind: 'edit'; readonly a: string; readonly b: string; readonly distance: number };

const snippets = JSON.parse(
  readFileSync(new URL('./snippets.json', import.meta.url), 'utf8'),
) as readonly Snippet[];
const publishedFile = fileURLToPath(
  new URL('../../../../shared/data/golden/intrinsics.json', import.meta.url),
);
const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`measure tests skipped: ${isolation.missing}; ${isolation.remedy}`);
if (!existsSync(publishedFile))
  console.warn('published measures skipped: ../shared/data/golden/intrinsics.json is not there');

describe.skipIf(!isolation.ok)('measures', () => {
  let box: LocalSandbox;
  beforeAll(async () => {
    box = await createSandbox();
  });
  afterAll(() => box.close());

  async function treesOf(codes: readonly string[]): Promise<readonly SyntaxNode[]> {
    return (await box.trees(codes)).map((parsed) => {
      if (!parsed.ok) throw new Error(parsed.error);
      return parsed.tree;
    });
  }

  it.each(snippets)('$name', async ({ snippet, cognitive, cyclomatic, h1, h2, N1, N2 }) => {
    const [tree] = await treesOf([snippet]);
    if (tree === undefined) throw new Error('no tree');
    expect(cognitiveComplexity(tree)).toBe(cognitive);
    expect(maxCyclomaticComplexity(tree)).toBe(cyclomatic);
    const volume = h1 + h2 === 0 ? 0 : (N1 + N2) * Math.log2(h1 + h2);
    const difficulty = h2 === 0 ? 0 : (h1 * N2) / (2 * h2);
    const measures = halsteadMeasures(tree);
    expect(measures).toMatchObject({
      distinctOperators: h1,
      distinctOperands: h2,
      operators: N1,
      operands: N2,
    });
    expect(measures.volume).toBeCloseTo(volume, 9);
    expect(measures.effort).toBeCloseTo(difficulty * volume, 9);
    const joined =
      0.5 * Math.min((difficulty * volume) / 10000, 1) +
      0.3 * Math.min(cyclomatic / 10, 1) +
      0.2 * Math.min(volume / 500, 1);
    expect(programMeasures(tree).complexity).toBe(cognitive / 15);
    expect(Math.abs(programMeasures(tree).halstead - joined)).toBeLessThanOrEqual(0.0005 + 1e-12);
  });

  it('a wrapped subtraction of complexipy is 0 here', async () => {
    const inner = `if a:\n x = 1\nelse:\n${' x = a and b\n'.repeat(50)}`;
    let code = inner;
    for (let level = 0; level < 6; level++) code = `for i in a:\n${code.replaceAll(/^/gm, ' ').trimEnd()}\n`;
    const [tree] = await treesOf([code]);
    expect(cognitiveComplexity(tree as SyntaxNode)).toBe(0);
  });

  it('distance is 0 to itself, under a change of layout too, and not symmetric in general', async () => {
    const [a, b, c] = await treesOf(['x = 1', 'x=(1) # one', 'def f(a):\n    return [i for i in a]']);
    expect(astEditDistance(a as SyntaxNode, b as SyntaxNode)).toEqual({ ok: true, distance: 0 });
    const there = astEditDistance(a as SyntaxNode, c as SyntaxNode);
    expect(there).toMatchObject({ ok: true });
    expect(there.ok ? there.distance : 0).toBeGreaterThan(0.3);
  });

  it('a constant without JSON text has no distance', async () => {
    for (const code of ["x = b'1'", 'x = 1j', 'x = ...', `x = 0x${'f'.repeat(5000)}`]) {
      const [a, b] = await treesOf([code, 'x = 1']);
      expect(astEditDistance(a as SyntaxNode, b as SyntaxNode).ok).toBe(false);
    }
  });

  it('programs are written back without what is not code, as Python 3.10 writes them', async () => {
    const code = [
      '"""doc"""',
      'import os, sys as s  # comment',
      '',
      'limit = 3',
      'class A:',
      '    "doc"',
      'def f(a):',
      '    """doc"""',
      '    # comment',
      '    from math import pi',
      '',
      '    for k, v in a:',
      '        g = lambda: (k, v)[*k, 0]',
      '        if (n := k): pass',
      '    return [n := 1], k',
      'print(f(1))',
    ].join('\n');
    const f = [
      'def f(a):',
      '    from math import pi',
      '    for (k, v) in a:',
      '        g = lambda : (k, v)[(*k, 0)]',
      '        if (n := k):',
      '            pass',
      '    return ([(n := 1)], k)',
    ];
    expect(await box.rewrite([code])).toEqual([
      {
        ok: true,
        noComments: ['import os, sys as s', 'limit = 3', 'class A:', '    pass', ...f, 'print(f(1))'].join('\n'),
        defsOnly: [
          'import os, sys as s',
          'class A:',
          '    """doc"""',
          f[0],
          '    """doc"""',
          ...f.slice(1),
        ].join('\n'),
        imports: ['import os, sys as s', 'from math import pi'],
      },
    ]);
  });

  it.each([
    ['no program', 'def f(:', /SyntaxError/],
    ['a NUL', 'x = 1\0', /null bytes/],
    ['deep nesting', `x = ${'-'.repeat(450)}1`, /deeper than 400 levels/],
    ['nesting beyond the parser', `x = ${'-'.repeat(20_000)}1`, /RecursionError|MemoryError|too many/],
    ['brackets', '('.repeat(300) + ')'.repeat(300), /too many nested parentheses/],
    ['half a surrogate pair', 'x = "\ud800"', /surrogate/],
    ['a huge program', `x = "${'a'.repeat(70_000)}"`, /65536/],
  ])('%s gives an error, and its neighbour its tree', async (_, code, error) => {
    const [bad, good] = await box.trees([code, 'x = 1']);
    expect(bad).toMatchObject({ ok: false, error: expect.stringMatching(error) as string });
    expect(good).toMatchObject({ ok: true, tree: { kind: 'Module' } });
    expect((await box.rewrite([code]))[0]).toMatchObject({ ok: false });
  });

  describe.skipIf(!existsSync(publishedFile))('published', () => {
    const rows = existsSync(publishedFile)
      ? (JSON.parse(readFileSync(publishedFile, 'utf8')) as readonly Published[])
      : [];

    it('every program', async () => {
      const programs = rows.filter((row) => row.kind === 'snippet');
      expect(programs.length).toBe(1280);
      const codes = programs.map((row) => row.snippet);
      const [trees, rewritten] = await Promise.all([treesOf(codes), box.rewrite(codes)]);
      programs.forEach((row, i) => {
        const { complexity, halstead } = programMeasures(trees[i]);
        expect(Math.abs(complexity - row.complexity), row.snippet).toBeLessThanOrEqual(1e-9);
        expect(Math.abs(halstead - row.halstead), row.snippet).toBeLessThanOrEqual(1e-9);
        expect(rewritten[i]).toEqual({
          ok: true,
          noComments: row.no_comments,
          defsOnly: row.defs_only,
          imports: row.imports,
        });
      });
    });

    it('every distance', async () => {
      const pairs = rows.filter((row) => row.kind === 'edit');
      expect(pairs.length).toBe(400);
      const a = await treesOf(pairs.map((row) => row.a));
      const b = await treesOf(pairs.map((row) => row.b));
      let without = 0;
      pairs.forEach((row, i) => {
        const result = astEditDistance(a[i] as SyntaxNode, b[i] as SyntaxNode);
        if (!result.ok) without++;
        expect(Math.abs((result.ok ? result.distance : 0) - row.distance), row.a).toBeLessThanOrEqual(1e-9);
      });
      // The published code answers 0 for what has no JSON text; here `...` in a subscript or annotation.
      expect(without).toBe(8);
    });
  });
});
