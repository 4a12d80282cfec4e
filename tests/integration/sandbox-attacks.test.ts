import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkIsolation,
  createSandbox,
  judgeMany,
  validateProposals,
  type LocalSandbox,
} from '../../src/sandbox/index.js';
import { ATTACKS, describeOutcome, matches } from '../unit/sandbox/attacks.corpus.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const SHARED = new URL('../../../shared/attacks.json', import.meta.url);

describe.skipIf(!isolation.ok)('hostile programs', () => {
  let sandbox: LocalSandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 2 });
  });
  afterAll(() => sandbox.close());

  it.each(['strict', 'batched', 'pure'] as const)(
    'are answered as expected in class %s, and every worker lives',
    async (wish) => {
      const before = await sandbox.processIds();
      const results = await sandbox.runMany(
        ATTACKS.map(({ id, code, input, seeds }) => ({
          id,
          code,
          inputs: [input ?? '1'],
          seeds: seeds ?? 1,
          class: wish,
          limits: { cpuMs: 800 },
        })),
      );
      const surprises = results.flatMap(({ id, outcomes: [outcome] }, i) => {
        const answer = outcome === undefined ? 'nothing' : describeOutcome(outcome);
        const { expect: wanted } = ATTACKS[i] ?? { expect: [] };
        return matches(wanted, answer) ? [] : [`${id}: ${answer}; expected ${wanted.join(' or ')}`];
      });
      expect(surprises).toEqual([]);
      expect(await sandbox.processIds()).toEqual(expect.arrayContaining([...before]));
      expect(sandbox.restarts).toBe(0);
    },
  );

  it.skipIf(!existsSync(SHARED))('of the shared corpus are answered as expected', async () => {
    interface Shared {
      id: string;
      cat: string;
      code: string;
      input: string;
      expect: string;
      cpu: number;
    }
    const attacks = JSON.parse(readFileSync(SHARED, 'utf8')) as Shared[];
    const results = await sandbox.runMany(
      attacks.map(({ id, cat, code, input, cpu }) => ({
        id,
        code,
        inputs: [input],
        seeds: cat === 'nondet' || id === 'hostname' ? 3 : 1,
        limits: { cpuMs: cpu },
      })),
    );
    // Two are refused before any run, as their notes say.
    const refused = new Set(['compile-slow', 'input-walrus']);
    const surprises = results.flatMap(({ id, outcomes: [outcome] }, i) => {
      const answer = outcome === undefined ? 'nothing' : describeOutcome(outcome).replaceAll(' ', '');
      const wanted = refused.has(id) ? 'refused' : (attacks[i]?.expect ?? '');
      const [kind = ''] = wanted.split(' ');
      const options = wanted
        .split(' or ')
        .flatMap((option) => [option, `${kind} ${option}`])
        .map((option) => option.replaceAll(' ', ''));
      return options.some((option) => answer.startsWith(option))
        ? []
        : [`${id}: ${answer}; expected ${wanted}`];
    });
    expect(surprises).toEqual([]);
    expect(sandbox.restarts).toBe(0);
  });
  if (!existsSync(SHARED)) console.warn('the shared attack corpus is not beside this checkout: skipped');

  it('a program that poisons its interpreter does not reach the next, in one call and in another', async () => {
    const poison = [
      'builtins.len = lambda x: 42',
      'builtins.sorted = None',
      'import math; math.pi = 3',
      'import re, collections; collections.Counter.most_common = lambda s: 7',
      'import functools; functools.reduce = None',
    ];
    const victims = [
      'return len(a)',
      'return sorted(a)',
      'import math; return math.pi',
      'import collections; return collections.Counter(a).most_common()',
      'import functools; return functools.reduce(lambda x, y: x + y, a)',
    ];
    const requests = poison.flatMap((line, i) => [
      { id: `p${i}`, code: `import builtins\n${line}\ndef f(a):\n return 1`, inputs: ['[2, 1]'] },
      { id: `v${i}`, code: `def f(a):\n ${victims[i] ?? ''}`, inputs: ['[2, 1]'] },
    ]);
    const texts = (await sandbox.runMany(requests)).map(({ outcomes }) =>
      outcomes[0]?.kind === 'value' ? outcomes[0].text : outcomes[0]?.kind,
    );
    expect(texts.filter((_, i) => i % 2 === 1)).toEqual([
      '2',
      '[1, 2]',
      '3.141592653589793',
      '[(2, 1), (1, 1)]',
      '3',
    ]);
  });

  it('universal cheats are wrong, honest answers right', async () => {
    const code = 'def f(x):\n return sorted(x)';
    const pairs = [
      { input: '[2, 1]', output: '[1, 2]' },
      { input: '[3]', output: '[3]' },
    ];
    const anyEqual =
      'class A:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n __hash__ = None\n';
    const answers = [
      [
        'honest deduction',
        { kind: 'deduction', code, input: '[2, 1]', output: '[1, 2]', answer: '[1, 2]' },
        true,
      ],
      [
        'ANY',
        {
          kind: 'deduction',
          code,
          input: '[2, 1]',
          output: '[1, 2]',
          answer: '__import__("unittest.mock").mock.ANY',
        },
        false,
      ],
      [
        'program as an answer',
        { kind: 'deduction', code, input: '[2, 1]', output: '[1, 2]', answer: 'f([2, 1])' },
        false,
      ],
      ['honest abduction', { kind: 'abduction', code, output: '[1, 2]', answer: '[2, 1]' }, true],
      ['another input', { kind: 'abduction', code, output: '[1, 2]', answer: '(2, 1)' }, true],
      ['closed bracket', { kind: 'abduction', code, output: '[1, 2]', answer: '1) or True or (1' }, false],
      ['walrus', { kind: 'abduction', code, output: '[1, 2]', answer: '(f := lambda x: [1, 2])' }, false],
      [
        'equal object',
        {
          kind: 'abduction',
          code: 'def f(x):\n return x',
          output: '1',
          answer: 'type("A", (), {"__eq__": lambda s, o: True})()',
        },
        false,
      ],
      [
        'honest induction',
        { kind: 'induction', code, pairs, answer: 'def f(y):\n y = list(y)\n y.sort()\n return y' },
        true,
      ],
      ['half right', { kind: 'induction', code, pairs, answer: 'def f(y):\n return [3]' }, false],
      ['__eq__', { kind: 'induction', code, pairs, answer: `${anyEqual}def f(y):\n return A()` }, false],
      [
        'frames',
        {
          kind: 'induction',
          code,
          pairs,
          answer: 'import sys\ndef f(y):\n return sys._getframe(1).f_code.co_consts[0]',
        },
        false,
      ],
      [
        'raises but on one',
        { kind: 'induction', code, pairs, answer: 'def f(y):\n if y == [3]: return [3]\n raise Exception' },
        false,
      ],
      ['exits', { kind: 'induction', code, pairs, answer: 'import os\ndef f(y):\n os._exit(0)' }, false],
      [
        'patched comparison',
        {
          kind: 'induction',
          code,
          pairs,
          answer: 'import operator, builtins\nbuiltins.repr = lambda v: "[1, 2]"\ndef f(y):\n return 0',
        },
        false,
      ],
      [
        'garbage collector',
        {
          kind: 'induction',
          code,
          pairs,
          answer:
            'import gc\ndef f(y):\n return next((o for o in gc.get_objects() if type(o) is list and o == sorted(y) and o is not y), None) and 0',
        },
        false,
      ],
    ] as const;
    const { verdicts, executions } = await judgeMany(
      sandbox,
      answers.map(([id, item]) => ({ id, ...item })),
    );
    expect(verdicts.map(({ id, correct }) => [id, correct])).toEqual(
      answers.map(([id, , right]) => [id, right]),
    );
    expect(verdicts.find(({ id }) => id === 'half right')?.accuracy).toBe(0.5);
    // The answers to one program were run in one execution.
    expect(executions.filter(({ request }) => request.code === code)).toHaveLength(1);
  });

  it('proposals are accepted with their outputs or refused for a reason of the closed list', async () => {
    const cases = [
      ['def f(x):\n return sorted(x)', ['[2, 1]', '"ba"'], 'ok'],
      ['import random\ndef f(x):\n return 1', ['1'], 'banned-import'],
      ['from os import path\ndef f(x):\n return 1', ['1'], 'banned-import'],
      ['def f(x):\n return __import__("random").random()', ['1'], 'banned-name'],
      ['def f(x):\n return x', ['1) or (1'], 'not-literal-input'],
      ['def f(x):\n return x', [], 'no-input'],
      ['def g(x):\n return x', ['1'], 'no-function'],
      ['def f(x) return', ['1'], 'unparsable'],
      ['def f(x):\n return 1 / x', ['1', '0'], 'raised'],
      ['def f(x):\n while x: pass', ['1'], 'timeout'],
      ['def f(x):\n return list({"a", "b", "c", "d", "e", "f"})', ['1'], 'nondeterministic'],
      ['def f(x):\n return print(x)', ['1'], 'none-output'],
      ['def f(x):\n return float("nan")', ['1'], 'nan'],
      ['def f(x):\n return lambda: x', ['1'], 'not-literal-output'],
      ['def f(x):\n return [0] * 10**6', ['1'], 'too-large'],
      ['def f(x):\n return [0] * 10**10', ['1'], 'memory'],
      ['def f(x):\n return 1\0', ['1'], 'nul'],
      [`def f(x):\n return 1#${'x'.repeat(70_000)}`, ['1'], 'code-too-long'],
      ['def f(x):\n return 1', [`"${'x'.repeat(20_000)}"`], 'input-too-long'],
    ] as const;
    const items = cases.map(([code, inputs], i) => ({ id: String(i), code, inputs }));
    const { results, executions } = await validateProposals(
      sandbox,
      [...items, { ...items[0]!, id: 'again' }],
      { limits: { cpuMs: 500 } },
    );
    expect(results.slice(0, -1).map((result) => (result.ok ? 'ok' : result.reason))).toEqual(
      cases.map(([, , reason]) => reason),
    );
    expect(results[0]).toEqual({ id: '0', ok: true, outputs: ['[1, 2]', "['a', 'b']"] });
    expect(results.at(-1)).toMatchObject({ id: 'again', ok: true });
    expect(executions.filter(({ request }) => request.code === items[0]?.code)).toHaveLength(1);
    expect(executions.every(({ request }) => (request.seeds ?? 1) >= 2)).toBe(true);
  });
});
