/**
 * Answers that are right on every task of their kind where the judge evaluates what it is given, compares inside the
 * program's process, or leaves out what raises. Four families; each cheat stands beside the honest answers of its task.
 */
import type { JudgeItem } from '../../../src/sandbox/judge.js';

export interface Cheat {
  readonly family: 'equal-to-all' | 'injected-expression' | 'stolen-or-forged-verdict' | 'all-but-one-raises';
  readonly item: JudgeItem;
}

const SORT = 'def f(x):\n return sorted(x)';
const IDENTITY = 'def f(x):\n return x';
const PAIRS = [
  { input: '[2, 1]', output: '[1, 2]' },
  { input: '[3]', output: '[3]' },
  { input: '[9, 8, 7]', output: '[7, 8, 9]' },
];

const deduction = (answer: string): Omit<JudgeItem, 'id'> => ({
  kind: 'deduction',
  code: SORT,
  input: '[2, 1]',
  output: '[1, 2]',
  answer,
});
const abduction = (answer: string, code = SORT): Omit<JudgeItem, 'id'> => ({
  kind: 'abduction',
  code,
  output: '[1, 2]',
  answer,
});
const induction = (answer: string): Omit<JudgeItem, 'id'> => ({
  kind: 'induction',
  code: SORT,
  pairs: PAIRS,
  answer,
});

const EQUAL_CLASS = (extra = ''): string =>
  `class A${extra}:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\n __hash__ = None\n`;

const EQUAL_TO_ALL: readonly Omit<JudgeItem, 'id'>[] = [
  deduction('__import__("unittest.mock").mock.ANY'),
  deduction('type("A", (), {"__eq__": lambda s, o: True})()'),
  deduction('[__import__("unittest.mock").mock.ANY] * 2'),
  deduction('[1, 2] if True else 0'),
  deduction('eval("[1, 2]")'),
  deduction('f([2, 1])'),
  deduction('[1, 1+1]'),
  deduction('(lambda: [1, 2])()'),
  deduction('[*range(1, 3)]'),
  deduction('[1, 2] or 0'),
  deduction("'[1, 2]'"),
  deduction('ANY'),
  deduction('_'),
  deduction('nan'),
  deduction('[1, 2] == [1, 2]'),
  deduction('[1, 2]; True'),
  deduction('[1, 2])) or (True'),
  abduction('type("A", (), {"__eq__": lambda s, o: True})()', IDENTITY),
  abduction('__import__("unittest.mock").mock.ANY', IDENTITY),
  induction(`${EQUAL_CLASS()}def f(y):\n return A()`),
  induction(`${EQUAL_CLASS('(list)')}def f(y):\n return A()`),
  induction(`${EQUAL_CLASS('(int)')}def f(y):\n return A(1)`),
  induction('from unittest.mock import ANY\ndef f(y):\n return ANY'),
  induction(`${EQUAL_CLASS()}def f(y):\n return [A() for _ in y]`),
  induction('class M(type):\n def __eq__(c, o): return True\n __hash__ = None\nclass A(metaclass=M): pass\ndef f(y):\n return A'),
  induction('class S(str):\n def __repr__(s): return "[1, 2]"\ndef f(y):\n return S("x")'),
  induction('class L(list):\n def __repr__(s): return repr(sorted(s))\n def __iter__(s): return iter(sorted(list.copy(s)))\ndef f(y):\n return L(y)'),
]; // prettier-ignore

const INJECTED: readonly Omit<JudgeItem, 'id'>[] = [
  abduction('1) or True or (1'),
  abduction('[2, 1]) == [1, 2] or (True'),
  abduction('1) != (2'),
  abduction('(f := lambda x: [1, 2])'),
  abduction('[2, 1]), setattr(__builtins__, "x", 1'),
  abduction('*[[2, 1]]'),
  abduction('**{"x": [2, 1]}'),
  abduction('x=sorted([2, 1])'),
  abduction('[2, 1]) #'),
  abduction('[2, 1]\n) or (\n1'),
  abduction('[i for i in (2, 1)]'),
  abduction('globals().update(f=lambda *a: [1, 2])'),
  abduction('exec("f = lambda x: [1, 2]")'),
  abduction('[2, 1] if f else 0'),
  abduction('__import__("os")._exit(0)'),
  abduction('[2, 1];import os'),
  abduction('\\\n[2, 1]) or (1'),
  abduction('[2, 1) or (True'),
  abduction(''),
];

const STOLEN: readonly Omit<JudgeItem, 'id'>[] = [
  induction('import sys\ndef f(y):\n return sys._getframe(1).f_code.co_consts[0]'),
  induction('import sys\ndef f(y):\n fr = sys._getframe()\n while fr.f_back: fr = fr.f_back\n return next((v for v in fr.f_locals.values() if type(v) is list), 0)'),
  induction('import gc\ndef f(y):\n w = sorted(y)\n return next((o for o in gc.get_objects() if type(o) is list and o == w and o is not w and o is not y), 0)'),
  induction('import os\ndef f(y):\n os._exit(0)'),
  induction('import sys\ndef f(y):\n sys.exit(0)'),
  induction('raise SystemExit(0)\ndef f(y):\n return y'),
  induction('import os, struct\ndef f(y):\n os.write(3, struct.pack("<I", 5) + b"VTrue")\n os._exit(0)'),
  induction('import os, struct\ndef f(y):\n os.write(3, struct.pack("<I", 6) + b"V1) or")\n os._exit(0)'),
  induction('import os\ndef f(y):\n os.write(1, b"True")\n return 0'),
  induction('def f(y):\n print(True)\n print("correct")\n return None'),
  induction('import builtins\nbuiltins.repr = builtins.ascii = lambda v: "[1, 2]"\ndef f(y):\n return 0'),
  induction('import operator, builtins\noperator.eq = lambda a, b: True\nbuiltins.sorted = lambda x: 0\ndef f(y):\n return 0'),
  induction('import atexit, os\natexit.register(lambda: os.write(3, b"\\x06\\x00\\x00\\x00V[1,2]"))\ndef f(y):\n return 0'),
  induction('import sys\nclass T:\n def __call__(s, fr, e, a):\n  fr.f_locals.update(value=[1, 2])\n  return s\nsys.settrace(T())\ndef f(y):\n return 0'),
  induction('import json\ndef f(y):\n return json.load(open("/proc/1/environ"))'),
  induction('import inspect\ndef f(y):\n return [eval(str(c.frame.f_locals.get("output", 0))) for c in inspect.stack(0)][-1]'),
  induction('import sys\nsys.modules["program"] = None\ndef f(y):\n return sys.modules'),
  induction('f = lambda y: f\nf.__eq__ = lambda o: True'),
]; // prettier-ignore

const RAISES: readonly Omit<JudgeItem, 'id'>[] = [
  induction('def f(y):\n if y == [3]: return [3]\n raise Exception'),
  induction('def f(y):\n if y == [3]: return [3]\n raise SystemExit'),
  induction('def f(y):\n if y == [3]: return [3]\n raise KeyboardInterrupt'),
  induction('def f(y):\n if y == [3]: return [3]\n raise GeneratorExit'),
  induction('def f(y):\n if y == [3]: return [3]\n class Fine(BaseException): pass\n raise Fine("ok")'),
  induction('def f(y):\n if y == [3]: return [3]\n raise StopIteration([1, 2])'),
  induction('def f(y):\n return [3] if y == [3] else None'),
  induction('def f(y):\n return [3] if y == [3] else NotImplemented'),
  induction('def f(y):\n return [3] if y == [3] else float("nan")'),
  induction('def f(y):\n if y == [3]: return [3]\n while True: pass'),
  induction('import os\ndef f(y):\n if y == [3]: return [3]\n os._exit(0)'),
  induction('def f(y):\n if y == [3]: return [3]\n return f(y)'),
  induction('def f(y):\n assert y == [3]\n return [3]'),
  induction('def f(y):\n return [3]'),
];

const named = (family: Cheat['family'], items: readonly Omit<JudgeItem, 'id'>[]): Cheat[] =>
  items.map((item, i) => ({ family, item: { id: `${family}-${i}`, ...item } }));

export const CHEATS: readonly Cheat[] = [
  ...named('equal-to-all', EQUAL_TO_ALL),
  ...named('injected-expression', INJECTED),
  ...named('stolen-or-forged-verdict', STOLEN),
  ...named('all-but-one-raises', RAISES),
];

/** Right answers to the same tasks, some in unusual dress. */
export const HONEST: readonly JudgeItem[] = [
  deduction('[1, 2]'),
  deduction(' [1,\n 2,] '),
  deduction('[True, 2.0]'),
  deduction('[0x1, 0b10]'),
  abduction('[2, 1]'),
  abduction('(1, 2)'),
  abduction('x=[2, 1]'),
  abduction('{2, 1}'),
  abduction('[2, 1] # any order'),
  abduction('[1, 2]', IDENTITY),
  induction(SORT),
  induction('def f(y):\n y = list(y)\n y.sort()\n return y'),
  induction('def f(y):\n if not y: return []\n m = min(y)\n y.remove(m)\n return [m] + f(y)'),
  induction('class L(list): pass\ndef f(y):\n return list(L(sorted(y)))'),
  induction('def f(y):\n try:\n  raise Exception\n except Exception:\n  return sorted(y)'),
  induction('import heapq\ndef f(y):\n heapq.heapify(y)\n return [heapq.heappop(y) for _ in range(len(y))]'),
  induction('def f(y):\n print("True")\n return sorted(y)'),
].map((item, i) => ({ id: `honest-${i}`, ...item }));
