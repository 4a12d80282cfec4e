import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { MAX_CODE_BYTES } from '../../../src/sandbox/limits.js';
import {
  collectImports,
  readProgram,
  topLevelFunctions,
  type ProgramRules,
} from '../../../src/policy/text/program.js';
import { readLogicalLines } from '../../../src/policy/text/python-lexer.js';

const lines = (...text: string[]): string => text.join('\n');

describe('top-level functions', () => {
  it.each<[string, string, string[]]>([
    [
      'nested functions and methods do not count',
      'class A:\n  def m(self): pass\ndef f():\n\tdef g(): pass',
      ['f'],
    ],
    ['nor functions under a condition', 'if True:\n    def g(): pass\ndef f(): pass', ['f']],
    ['nor text in strings', '"""\ndef g(): pass\n"""\nx = \'\'\'\ndef h(): pass\'\'\'\ndef f(): pass', ['f']],
    ['nor text in comments', '# def g():\ndef f(): pass', ['f']],
    ['nor lines within brackets', 'x = [\ndef_ := 1,\n]\ny = (\ndef\n)\ndef f(): pass', ['f']],
    ['nor coroutines', 'async def g(): pass', []],
    ['a quote in a comment opens nothing', "# it's\ndef f(): pass", ['f']],
    ['a raw string may end with an escaped quote', "x = r'\\''\ndef f(): pass", ['f']],
    ['a string goes on after a backslash', "x = 'a\\\ndef g(): pass'\ndef f(): pass", ['f']],
    ['a header over several lines', 'def f(\n  a,\n  b=")"\n):\n  pass', ['f']],
    ['a backslash joins lines', 'def \\\n  f(): pass', ['f']],
    ['CRLF', 'def f():\r\n    pass\r\ndef g():\r\n    pass', ['f', 'g']],
    ['decorators and annotations', '@cache\ndef f(a: "def g():") -> int: return 1', ['f']],
    ['names beyond ASCII', 'def größe(): pass', ['größe']],
    ['after a form feed', '\fdef f(): pass', ['f']],
    ['a string that is not closed ends with its line', "x = 'a\ndef f(): pass", ['f']],
    ['a bracket closed too often', 'x = 1)\ndef f(): pass', ['f']],
  ])('%s', (_name, code, expected) => {
    expect(topLevelFunctions(code)).toEqual(expected);
  });
});

describe('imports', () => {
  it.each<[string, string, string[]]>([
    ['one a line', 'import os\nimport a.b as c, d', ['import os', 'import a.b as c, d']],
    ['in brackets', 'from a.b import (\n  c,  # first\n  d as e,\n)', ['from a.b import c, d as e']],
    ['relative', 'from . import a\nfrom ..b.c import d', ['from . import a', 'from ..b.c import d']],
    ['all', 'from math import *', ['from math import *']],
    [
      'inside functions, after semicolons and colons',
      'def f():\n  x = 1; import a\n  if x: import b',
      ['import a', 'import b'],
    ],
    ['without repeats', 'import a\ndef f():\n    import a', ['import a']],
    ['not in strings or comments', '"""\nimport a\n"""\n# import b\ns = "import c"', []],
    ['not other uses of from', 'def g():\n    yield from h()\n    raise A from b', []],
    ['what is no statement', 'import\nfrom a', []],
  ])('%s', (_name, code, expected) => {
    expect(collectImports(code)).toEqual(expected);
  });
});

describe('the entry function', () => {
  const code = (source: string, rules: ProgramRules = { rejectMultipleFunctions: false }): string => {
    const reading = readProgram(source, rules);
    if (!reading.ok) throw new Error(reading.detail);
    return reading.code;
  };

  it('is renamed to f wherever the name means it', () => {
    expect(
      code(
        lines(
          'from functools import reduce as go_on',
          'def go(n, key=None):',
          '    """go(n) stays"""',
          '    # go too',
          '    total = sum(map(go, [])) + obj.go(1) + call(go=1, n=go(n - 1))',
          '    return f"{go(n):>{go(1)}} {{go}} {n!r} go" + rf\'{go}\' + "go" + Fgo(1)',
        ),
      ),
    ).toBe(
      lines(
        'from functools import reduce as go_on',
        'def f(n, key=None):',
        '    """go(n) stays"""',
        '    # go too',
        '    total = sum(map(f, [])) + obj.go(1) + call(go=1, n=f(n - 1))',
        '    return f"{f(n):>{f(1)}} {{go}} {n!r} go" + rf\'{f}\' + "go" + Fgo(1)',
      ),
    );
  });

  it('leaves methods of the same name and imported names', () => {
    expect(
      code('class A:\n    def solve(self):\n        return 1\ndef solve(x):\n    return A().solve()'),
    ).toBe('class A:\n    def solve(self):\n        return 1\ndef f(x):\n    return A().solve()');
    expect(code('from m import go\nimport m as go\ndef go(x): return go')).toBe(
      'from m import go\nimport m as f\ndef f(x): return f',
    );
  });

  it('keeps its name where f means something else, and is also called f', () => {
    const source = 'def apply(xs):\n    return [f(xs) for f in (min, max)]';
    expect(code(source)).toBe(`${source}\n\nf = apply\n`);
    const assigned = 'def helper(x): return x\nf = lambda x: helper(x)';
    expect(code(assigned)).toBe(assigned);
  });

  it.each<[NonNullable<ProgramRules['entry']>, string, string]>([
    ['not_first', 'def a(x): 0\ndef b(x): 1', 'def f(x): 0\ndef b(x): 1'],
    ['not_last', 'def a(x): 0\ndef b(x): 1', 'def a(x): 0\ndef f(x): 1'],
    ['any_first', 'def a(x): 0\ndef b(x): 1', 'def f(x): 0\ndef b(x): 1'],
    ['any_last', 'def a(x): 0\ndef b(x): 1', 'def a(x): 0\ndef f(x): 1'],
    ['any_first', 'def a(x): 0\ndef f(x): 1', 'def a(x): 0\ndef f(x): 1'],
    ['any_last', 'def f(x): 0\ndef b(x): 1', 'def f(x): 0\ndef b(x): 1'],
    ['not_first', 'def a(x): 0\ndef f(x): 1', 'def a(x): 0\ndef f(x): 1\n\nf = a\n'],
  ])('by the rule %s of %j', (entry, source, expected) => {
    expect(code(source, { entry, rejectMultipleFunctions: false })).toBe(expected);
  });

  it('is refused where there is none, where there are several, and where the text is too long', () => {
    expect(readProgram('x = 1')).toMatchObject({ ok: false, reason: 'no-function' });
    expect(readProgram('def a(): 1\ndef b(): 2')).toEqual({
      ok: false,
      reason: 'multiple-functions',
      detail: 'functions at the top level: a, b; accepted is one',
    });
    expect(readProgram('def f(): 1\ndef f(): 2')).toMatchObject({ ok: true });
    expect(readProgram(`def f(): 1\n#${'é'.repeat(MAX_CODE_BYTES / 2)}`)).toMatchObject({
      ok: false,
      reason: 'code-too-long',
    });
  });
});

/** Python's own tokens, functions and imports of modules of its library. */
const REFERENCE = String.raw`
import ast, glob, io, json, os, tokenize
rows = []
for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py"))[::3]:
    with open(path, encoding="utf8") as file:
        code = file.read()
    tree = ast.parse(code)
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    names = lambda n: ", ".join(a.name + (" as " + a.asname if a.asname else "") for a in n.names)
    imports = {"import " + names(n) for n in ast.walk(tree) if isinstance(n, ast.Import)}
    imports |= {"from " + "." * n.level + (n.module or "") + " import " + names(n)
                for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    tokens = [t.string for t in tokenize.generate_tokens(io.StringIO(code).readline)
              if t.type in (tokenize.NAME, tokenize.STRING)]
    rows.append({"code": code, "functions": functions, "imports": sorted(imports), "tokens": tokens})
print(json.dumps(rows))
`;

interface ReferenceRow {
  readonly code: string;
  readonly functions: readonly string[];
  readonly imports: readonly string[];
  readonly tokens: readonly string[];
}

describe("modules of Python's library", () => {
  const python = spawnSync('python3', ['-c', 'import sys; print(sys.version_info < (3, 12))'], {
    encoding: 'utf8',
  });
  // From 3.12 on Python's tokenizer takes f-strings apart; the sandbox's programs are read as 3.11 reads them.
  const usable = python.stdout?.trim() === 'True';
  it.skipIf(!usable)(
    `are read as Python reads them${usable ? '' : ' (skipped: no python3 before 3.12)'}`,
    () => {
      const { stdout } = spawnSync('python3', ['-c', REFERENCE], { encoding: 'utf8', maxBuffer: 1 << 28 });
      const rows = JSON.parse(stdout) as readonly ReferenceRow[];
      expect(rows.length).toBeGreaterThan(30);
      for (const { code, functions, imports, tokens } of rows) {
        expect(topLevelFunctions(code)).toEqual(functions);
        expect(collectImports(code).sort()).toEqual(imports);
        const read = readLogicalLines(code).flatMap((line) =>
          line.tokens.filter(({ kind }) => kind === 'name' || kind === 'string').map(({ text }) => text),
        );
        expect(read).toEqual(tokens);
      }
    },
  );
});
