/** Error prediction and composite programs on the real parts: CPython in the sandbox, then a whole run and its replay. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATIONS, renderList } from '../../src/policy/tiny/operations.js';
import { PARTIAL_OPERATIONS } from '../../src/policy/tiny/partial-operations.js';
import { renderOperations, runOperations } from '../../src/policy/tiny/programs.js';
import { Random } from '../../src/random.js';
import {
  createSandbox,
  judgeMany,
  refuseComposites,
  validateProposals,
  type LocalSandbox,
} from '../../src/sandbox/index.js';
import { PLAIN_STEPS } from '../support/azr-cli.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
let sandbox: LocalSandbox;
beforeAll(async () => {
  sandbox = await createSandbox();
});
afterAll(async () => sandbox?.close());

describe('a task of error prediction', () => {
  const validate = async (code: string, input: string, bannedErrorKeywords: readonly string[] = []) => {
    const item = { id: 'p', code, inputs: [input], kind: 'error' as const };
    const { results } = await validateProposals(sandbox, [item], { bannedErrorKeywords });
    const [result] = results;
    return result?.ok === true ? result.outputs[0] : result?.reason;
  };

  it.each([
    ['raises', 'def f(x):\n    return x[4]', '[1]', 'IndexError'],
    ['returns', 'def f(x):\n    return x[0]', '[1]', 'NoError'],
    ['returns None', 'def f(x):\n    return None', '1', 'NoError'],
    ['returns no literal', 'def f(x):\n    return f', '1', 'NoError'],
    ['returns NaN', "def f(x):\n    return float('nan')", '1', 'NoError'],
    ['raises a class of its own', 'class Odd(Exception): pass\ndef f(x):\n    raise Odd(x)', '1', 'Odd'],
    ['recurses for ever', 'def f(x):\n    return f(x)', '1', 'RecursionError'],
    ['is called wrongly', 'def f(x):\n    return x', '1, 2', 'TypeError'],
    [
      'calls its class NoError',
      'class NoError(Exception): pass\ndef f(x):\n    raise NoError',
      '1',
      'error-name',
    ],
    ['does not end', 'def f(x):\n    while True: pass', '1', 'timeout'],
    ['does not parse', 'def f(x:\n    return x', '1', 'unparsable'],
    [
      'raises what hangs on the hash seed',
      "def f(x):\n    raise type(f'E{hash(x) % 10 ** 9}', (Exception,), {})",
      "'a'",
      'nondeterministic',
    ],
  ])('whose program %s', async (_name, code, input, expected) => {
    expect(await validate(code, input)).toBe(expected);
  });

  it('may be refused for its keywords, and no other kind for these', async () => {
    const code = 'def f(x):\n    raise KeyError(x)';
    expect(await validate(code, '1', ['raise'])).toBe('banned-keyword');
    const value = { id: 'v', code: 'def f(x):\n    if x: return 1\n    raise KeyError', inputs: ['1'] };
    const { results } = await validateProposals(sandbox, [value], { bannedErrorKeywords: ['raise'] });
    expect(results).toEqual([{ id: 'v', ok: true, outputs: ['1'] }]);
  });

  it('shares an execution with a task of another kind, which sees it otherwise', async () => {
    const task = { code: 'def f(x):\n    return x[4]', inputs: ['[1]'] };
    const { results, executions } = await validateProposals(sandbox, [
      { ...task, id: 'e', kind: 'error' },
      { ...task, id: 'd' },
    ]);
    expect(executions).toHaveLength(1);
    expect(results).toMatchObject([
      { ok: true, outputs: ['IndexError'] },
      { ok: false, reason: 'raised' },
    ]);
  });

  it('is judged without running anything', async () => {
    const item = { kind: 'error' as const, code: 'def f(x):\n    return x[4]', output: 'IndexError' };
    const { verdicts, executions } = await judgeMany(sandbox, [
      { ...item, id: 'right', answer: 'indexerror: out of range' },
      { ...item, id: 'wrong', answer: 'NoError' },
    ]);
    expect(executions).toEqual([]);
    expect(verdicts.map(({ id, correct, accuracy }) => [id, correct, accuracy])).toEqual([
      ['right', true, 1],
      ['wrong', false, 0],
    ]);
  });
});

it('the tiny domain raises where CPython does, and the same', async () => {
  const random = new Random(5);
  const cases = Array.from({ length: 300 }, () => {
    const length = 1 + random.below(4);
    const operations = Array.from({ length }, () =>
      random.below(OPERATIONS.length + PARTIAL_OPERATIONS.length),
    );
    const input = Array.from({ length: 3 + random.below(3) }, () => random.below(10));
    return { operations, input };
  });
  const items = cases.map(({ operations, input }, i) => ({
    id: String(i),
    code: renderOperations(operations),
    inputs: [renderList(input)],
    kind: 'error' as const,
  }));
  const { results } = await validateProposals(sandbox, items);
  const expected = cases.map(({ operations, input }) => runOperations(operations, input));
  expect(results.map((result) => (result.ok ? result.outputs[0] : result.reason))).toEqual(
    expected.map(({ error }) => error),
  );
  expect(new Set(expected.map(({ error }) => error)).size).toBeGreaterThanOrEqual(4);

  const returning = cases.flatMap(({ operations, input }, i) =>
    expected[i]?.error === 'NoError' ? [{ operations, input }] : [],
  );
  const ran = await validateProposals(
    sandbox,
    returning.map(({ operations, input }, i) => ({
      id: String(i),
      code: renderOperations(operations),
      inputs: [renderList(input)],
    })),
  );
  expect(ran.results.map((result) => (result.ok ? result.outputs[0] : result.reason))).toEqual(
    returning.map(({ operations, input }) =>
      renderList(runOperations(operations, input).states.at(-1) ?? []),
    ),
  );
});

describe('a composite program', () => {
  const G = 'import math\nLIMIT = 3\ndef g_0(x):\n    return math.floor(x) % LIMIT';
  const H = 'def g_1(x, y):\n    return x * y';
  it.each<[string, string, string | undefined]>([
    ['calls all', 'def f(x):\n    y = g_0(x)\n    return g_1(y, x)', undefined],
    ['calls one in the other', 'def f(x):\n    return g_1(g_0(x), x + 1)', undefined],
    ['calls in a comprehension', 'def f(x):\n    return [g_1(g_0(i), x[0]) for i in x]', undefined],
    [
      'imports what a definition imports',
      'import math\ndef f(x):\n    return g_1(g_0(math.pi * x), x)',
      undefined,
    ],
    ['uses a constant of its own', 'K = 2\ndef f(x):\n    return g_1(g_0(x + K), x)', undefined],
    ['gives the constant alone', 'K = 2\ndef f(x):\n    return g_1(g_0(K), x)', 'composite-argument'],
    ['gives what nobody defines', 'def f(x):\n    return g_1(g_0(z), x)', 'composite-argument'],
    ['leaves one out', 'def f(x):\n    return g_0(x)', 'composite-not-called'],
    ['speaks of one only', 'def f(x):\n    h = g_1\n    return g_0(x)', 'composite-not-called'],
    [
      'calls one in a nested function only',
      'def f(x):\n    def h(y):\n        return g_1(y, y)\n    return h(g_0(x))',
      'composite-not-called',
    ],
    [
      'defines one anew',
      'def g_0(x):\n    return 1\ndef f(x):\n    return g_1(g_0(x), x)',
      'composite-redefined',
    ],
    ['assigns one', 'def f(x):\n    g_0 = abs\n    return g_1(g_0(x), x)', 'composite-redefined'],
    ['has a parameter of that name', 'def f(x, g_1):\n    return g_1(g_0(x), x)', 'composite-redefined'],
    ['imports one', 'from m import h as g_0\ndef f(x):\n    return g_1(g_0(x), x)', 'composite-redefined'],
    ['changes what one relies on', 'LIMIT = 1\ndef f(x):\n    return g_1(g_0(x), x)', 'composite-redefined'],
    [
      'changes it from inside',
      'def f(x):\n    global LIMIT\n    LIMIT = 1\n    return g_1(g_0(x), x)',
      'composite-redefined',
    ],
    ['shadows a module of one', 'math = 1\ndef f(x):\n    return g_1(g_0(x), x)', 'composite-redefined'],
    ['has no f', 'h = lambda x: g_1(g_0(x), x)', 'composite-no-function'],
    ['does not parse', 'def f(x:', 'unparsable'],
  ])('that %s', async (_name, program, reason) => {
    const [refusal] = await refuseComposites(sandbox, [{ program, definitions: [G, H] }]);
    expect(refusal?.reason).toBe(reason);
  });

  it('is asked about only where functions were given', async () => {
    expect(await refuseComposites(sandbox, [{ program: 'no python (', definitions: [] }])).toEqual([
      undefined,
    ]);
  });
});

describe('a tiny run of all kinds with composite programs and every intrinsic reward', () => {
  const TERMS = [
    'complexity',
    'mean_edit_distance',
    'halstead',
    'answer_diversity',
    'f_input_answer_diversity',
    'f_output_answer_diversity',
  ];
  const SETTINGS = [
    'policy.model.layers=2',
    'policy.model.width=32',
    'policy.model.hidden=64',
    'policy.warmUp.steps=60',
    'policy.warmUp.rowsPerStep=128',
    ...PLAIN_STEPS,
    'propose.batch=32',
    'solve.batch=8',
    'evaluation.perBucket=5',
    'propose.kinds=[error, induction, abduction, deduction]',
    'propose.composite.chance=0.8',
    ...TERMS.flatMap((term) => [
      `reward.intrinsic.${term}.enabled=true`,
      `reward.intrinsic.${term}.coefficient=0.1`,
    ]),
  ];
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(path.join(os.tmpdir(), 'azr-kinds-'));
  });
  afterAll(async () => {
    await azr(['down']);
    await rm(dataDir, { recursive: true, force: true });
  });

  async function azr(args: readonly string[]): Promise<{ code: number | null; out: string }> {
    const child = spawn(process.execPath, [path.join(ROOT, 'bin/azr.mjs'), ...args], {
      cwd: ROOT,
      env: { ...process.env, AZR_DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (out += part.toString()));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out }));
    });
  }

  it('ends, holds both, and is replayed without a difference, the learner included', async () => {
    const up = await azr(['up']);
    expect(up.code, up.out).toBe(0);
    const run = await azr([
      'run',
      'tiny',
      '--run',
      'kinds',
      '--iterations',
      '2',
      '--follow',
      ...SETTINGS.flatMap((s) => ['--set', s]),
    ]);
    expect(run.code, run.out).toBe(0);

    const rows = async <T>(query: string): Promise<T[]> => {
      const { code, out } = await azr(['sql', '--json', query]);
      expect(code, out).toBe(0);
      return JSON.parse(out) as T[];
    };
    const proposed = await rows<{ kind: string; given: number }>(
      'select kind, toUInt32(countIf(notEmpty(composite_task_ids))) as given from proposal_sampled group by kind order by kind',
    );
    expect(proposed.map(({ kind }) => kind)).toEqual(['abduction', 'deduction', 'error', 'induction']);
    for (const { kind, given } of proposed) expect([kind, given > 0]).toEqual([kind, kind !== 'induction']);
    const [composite] = await rows<{ n: number; sound: number }>(
      "select toUInt32(count()) as n, toUInt32(countIf(startsWith(code, 'def g_0(x):') and position(original_code, 'def g_0') = 0 and position(original_code, 'x = g_0(x)') > 0)) as sound from task_accepted where notEmpty(composite_task_ids)",
    );
    expect(composite?.n).toBeGreaterThan(0);
    expect(composite?.sound).toBe(composite?.n);
    const [error] = await rows<{ classes: number; judged: number; learned: number; measured: number }>(
      "select toUInt32((select uniqExact(outputs[1]) from task_accepted where kind = 'error')) as classes, toUInt32((select count() from solution_verified where kind = 'error')) as judged, toUInt32((select count() from learner_sample where kind = 'error')) as learned, toUInt32((select count() from intrinsics_measured where kind = 'error')) as measured",
    );
    for (const [what, count] of Object.entries(error ?? { nothing: 0 }))
      expect([what, count > 0]).toEqual([what, true]);

    const checks = 'executions,verdicts,rewards,advantages,learner';
    const replayed = await azr(['replay', 'kinds', '--verify', checks, '--json']);
    expect(replayed.code, replayed.out).toBe(0);
  });
});
