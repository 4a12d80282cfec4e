/** What is refused by the text alone, as Python's own tree shows it; and packages that a person allows. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkIsolation,
  createSandbox,
  validateProposals,
  type LocalSandbox,
  type ValidateOptions,
} from '../../src/sandbox/index.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const F = '\ndef f(x):\n return 1';

describe.skipIf(!isolation.ok)('static refusal', () => {
  let sandbox: LocalSandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 1 });
  });
  afterAll(() => sandbox.close());

  async function answers(codes: readonly string[], options: ValidateOptions): Promise<readonly string[]> {
    const items = codes.map((code, i) => ({ id: String(i), code, inputs: ['1'] }));
    const { results } = await validateProposals(sandbox, items, options);
    return results.map((result) => (result.ok ? 'ok' : `${result.reason} ${result.detail}`));
  }

  it('finds members of modules under any name', async () => {
    const codes = [
      'import os as o, sys\nimport a.b\nfrom os import path as p\ndef f(x):\n o.path.join(x).real\n p.sep; sys.exit(); a.b.c; x.path.y',
      `import math${F}`,
      `from math import pi${F} + pi.real`,
    ];
    expect((await sandbox.analyse(codes)).map(({ uses }) => uses)).toEqual([
      ['a.b.c', 'os.path.join', 'os.path.sep', 'sys.exit'],
      [],
      ['math.pi.real'],
    ]);
  });

  it('sees keywords', async () => {
    const codes = [
      'def f(x):\n try:\n  assert x\n except E: pass\n finally:\n  raise x',
      'def f(x):\n return [lambda: i for i in x]',
      '"raise"\ndef f(raised):\n return raised # raise',
    ];
    expect((await sandbox.analyse(codes)).map(({ keywords }) => keywords)).toEqual([
      ['assert', 'except', 'finally', 'pass', 'raise', 'try'],
      ['lambda', 'return'],
      ['return'],
    ]);
    expect(await answers([`${codes[0]}${F}`, F], { bannedKeywords: ['raise'] })).toEqual([
      'banned-keyword raise',
      'ok',
    ]);
    await expect(answers([F], { bannedKeywords: ['Raise'] })).rejects.toThrow(/bannedKeywords has "Raise"/);
  });

  it('by the strict and the published policy', async () => {
    const cases = [
      [`import os, sys${F}`, 'banned-import os', 'ok'],
      [`import os.path${F}`, 'banned-import os.path', 'banned-import os.path'],
      [`from os import path${F}`, 'banned-import os.path', 'banned-import os.path'],
      [`import os as o${F} if o.path else 2`, 'banned-import os', 'banned-import os.path'],
      [`import os${F} if os.environ else 2`, 'banned-import os', 'banned-import os.environ'],
      [
        'import sys\ndef f(x):\n if x > 1: sys.exit(0)\n return 1',
        'banned-import sys',
        'banned-import sys.exit',
      ],
      [`from random import randint${F}`, 'banned-import random.randint', 'banned-import random.randint'],
      [`import pickle${F}`, 'banned-import pickle', 'ok'],
      ['def f(x):\n return __import__("math").floor(x)', 'banned-name __import__', 'ok'],
      [`import math, itertools, collections${F}`, 'ok', 'ok'],
      ['def f(x):\n time = x\n random = time\n return random', 'ok', 'ok'],
    ] as const;
    const codes = cases.map(([code]) => code);
    expect(await answers(codes, {})).toEqual(cases.map(([, strict]) => strict));
    expect(await answers(codes, { policy: 'published' })).toEqual(cases.map(([, , published]) => published));
  });
});

/** Pythons of this machine that may have packages. */
function pythonWith(module: string): string | undefined {
  for (const python of ['/usr/bin/python3.11', 'python3.11', process.env['AZR_TEST_PYTHON'] ?? 'python3.11'])
    try {
      execFileSync(python, ['-I', '-c', `import ${module}, sys; assert sys.version_info[:2] == (3, 11)`], {
        stdio: 'ignore',
      });
      return python;
    } catch {
      continue;
    }
  return undefined;
}

const PROGRAMS = {
  numpy: [
    'import numpy as np\ndef f(x):\n return (np.array(x) @ np.ones((2, 2))).tolist()',
    '[1, 2]',
    '[3.0, 3.0]',
  ],
  sympy: ['import sympy\ndef f(x):\n return str(sympy.factorint(x))', '360', "'{2: 3, 3: 2, 5: 1}'"],
} as const;

describe.skipIf(!isolation.ok)('allowed packages', () => {
  it.each(['numpy', 'sympy'] as const)('%s: refused by default, works where allowed', async (name) => {
    const [code, input, output] = PROGRAMS[name];
    const python = pythonWith(name);
    const options = python === undefined ? {} : { python };
    const off = await createSandbox(options);
    try {
      const [refused] = (await validateProposals(off, [{ id: 'x', code, inputs: [input] }])).results;
      expect(refused).toMatchObject({ ok: false, reason: 'raised' });
      expect(refused?.ok === false ? refused.detail : '').toMatch(
        `ModuleNotFoundError: No module named '${name}'`,
      );
    } finally {
      await off.close();
    }
    if (python === undefined) {
      await expect(createSandbox({ packages: [name] })).rejects.toThrow(`the package ${name} of`);
      console.warn(
        `allowed package ${name} skipped: no Python 3.11 here has it (AZR_TEST_PYTHON names another)`,
      );
      return;
    }
    const on = await createSandbox({ ...options, packages: [name] });
    try {
      const { results } = await validateProposals(
        on,
        [
          { id: 'use', code, inputs: [input] },
          { id: 'write', code: `${code}\nimport ${name} as n\nopen(n.__file__, "a")`, inputs: [input] },
          { id: 'other', code: 'import pip\ndef f(x):\n return 1', inputs: ['1'] },
        ],
        { policy: 'published', limits: { cpuMs: 20_000, memoryMiB: 1024 } },
      );
      expect(results[0]).toEqual({ id: 'use', ok: true, outputs: [output] });
      expect(results[1]).toMatchObject({ ok: false, reason: 'raised' });
      expect(results[2]).toMatchObject({ ok: false, reason: 'raised' });
    } finally {
      await on.close();
    }
  });

  it('says what is wrong with a name', async () => {
    await expect(createSandbox({ packages: ['no-such'] })).rejects.toThrow(
      /packages has "no-such"; accepted/,
    );
    await expect(createSandbox({ packages: ['nosuchpackage'] })).rejects.toThrow(
      /the package nosuchpackage of .* is missing\..*pip install nosuchpackage/,
    );
  });
});
