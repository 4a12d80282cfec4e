/** The three execution classes give the same outcomes; only programs that can be shown harmless share a process. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIsolation, createSandbox, type LocalSandbox, type Outcome } from '../../src/sandbox/index.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);

/** Ways out of a shared process that the static check must see: none of these is pure. */
const ESCAPES: readonly string[] = [
  'import builtins\ndef f(a): builtins.len = a',
  'def f(a): return a.__class__.__mro__[1].__subclasses__()',
  'def f(a): return f.__globals__["__builtins__"]',
  'def f(a): return (i for i in a).gi_frame.f_back.f_globals',
  'class A:\n gi_frame = 1\ndef f(a): return (i for i in a).gi_frame',
  'def f(a):\n try: 1/0\n except Exception as e: return e.__traceback__.tb_frame',
  'class A:\n def __exit__(s, t, v, tb): s.x = tb.tb_frame.f_back\n def __enter__(s): s.tb_frame = 1\ndef f(a): return 1',
  'def f(a): return "{0.__globals__}".format(f)',
  'def f(a): return "{0[x]}".format(f)',
  'def f(a): return "{0:{1.__class__}}".format(1, f)',
  'def f(a): return a.format(f)',
  'def f(a): return str.format("{0.__globals__}", f)',
  'def f(a): return "{x.__globals__}".format_map({"x": f})',
  'def f(a): return getattr(f, "__glo" + "bals__")',
  'def f(a): return vars()',
  'def f(a): return globals()',
  'def f(a): return eval("1")',
  'def f(a): exec("import os")',
  'g = eval\ndef f(a): return g("1")',
  'def f(a): return __builtins__',
  'def f(a): return __import__("os")',
  'def f(a): return open("/x")',
  'def f(a): return type("A", (), {"__reduce__": 1})',
  'T = type\ndef f(a): return T("A", (), {})',
  'def f(a): return [*map(type, ["A"], [()], [{}])]',
  'def f(a): return type(*a)',
  'import math\ndef f(a): math.pi = 3',
  'import math as m\ndef f(a): m.pi = 3',
  'import math\nn = math\ndef f(a): n.pi = 3',
  'import math\ndef g(m): m.pi = 3\ndef f(a): g(math)',
  'import math\ndef f(a): del math.pi',
  'import math\nfor math.pi in [3]: pass\ndef f(a): return 1',
  'import collections\ndef f(a): return collections._sys.modules',
  'import collections\n_sys = 1\ndef f(a): return [collections][0]._sys',
  'import collections.abc\ndef f(a): return 1',
  'from collections import Counter\ndef f(a): Counter.most_common = 1',
  'from collections import Counter as C\nD = [C]\ndef f(a): D[0].update = 1',
  'import collections\ndef f(a): collections.Counter.update = 1',
  'from collections import *\ndef f(a): return 1',
  'from operator import attrgetter\ndef f(a): return attrgetter("__globals__")(f)',
  'import operator\ndef f(a): return operator.methodcaller("x")',
  'from functools import wraps\ndef f(a): return 1',
  'import functools\ndef f(a): return functools.update_wrapper',
  'from typing import get_type_hints\ndef f(a): return 1',
  'import typing\ndef f(a): return typing.sys',
  'from string import Formatter\ndef f(a): return 1',
  'import copy\nclass A:\n def __reduce_ex__(s, p): return (eval, ("1",))\ndef f(a): return copy.copy(A())',
  'import copy\nclass A:\n def __deepcopy__(s, m): return 1\ndef f(a): return copy.deepcopy(A())',
  'class M(type):\n def __getattribute__(c, n): return 1\ndef f(a): return 1',
  'class A:\n def __setattr__(s, n, v): pass\ndef f(a): return 1',
  'class A:\n __match_args__ = ("gi_frame",)\ndef f(a): return 1',
  'def f(a):\n match a:\n  case object(gi_frame=g): return g',
  'def f(a):\n match a:\n  case object(__globals__=g): return g',
  'from enum import Enum\n_member_map_ = 1\ndef f(a): Enum._member_map_["x"] = 1',
  'from abc import ABC\ndef register(): pass\ndef f(a): ABC.register(int)',
  'import sys\ndef f(a): return sys._getframe()',
  'import gc\ndef f(a): return gc.get_objects()',
  'import random\ndef f(a): return random.seed(1)',
  'import decimal\ndef f(a): decimal.getcontext().prec = 3',
  'import re as math\nimport math\ndef f(a): return math.pi',
  'import math\nmath = 3\ndef f(a): return math',
  'def f(a): return f.__code__.co_consts',
  'async def g(): pass\ndef f(a): return g().cr_frame',
  'def f(a): return id(a)',
  'def f(a): return super.__self__',
  'class A:\n def m(s): return super().__getattribute__("x")\ndef f(a): return 1',
  'f"{(i for i in [1]).gi_frame}"\ndef f(a): return 1',
  '__name__ = 1\nglobal __builtins__\ndef f(a): return 1',
  'def f(a):\n global __builtins__\n __builtins__ = {}',
  'from . import math\ndef f(a): return 1',
  // Bound in one scope, the builtin in another.
  'def f(a): return eval("1")\ndef g():\n eval = 1',
  'def f(a): return [getattr(f, "__globals__") for a in [1]]\nclass A:\n getattr = 1',
  // A class from data, so with any method.
  'T = type(int)\ndef f(a): return T("A", (), {"__reduce_ex__": lambda s, p: (f, ())})',
  'def f(a): return type(a)("A", (), {})',
  // What stores attributes, on what others share.
  'from dataclasses import dataclass\nfrom collections import Counter\ndef f(a): return dataclass(Counter)',
  'import dataclasses as d, collections\ndef f(a): return d.dataclass(collections.Counter)',
  'from functools import total_ordering as t\nfrom fractions import Fraction\nx = [t]\ndef f(a): return x[0](Fraction)',
  'from abc import abstractmethod\nfrom statistics import mean\ndef f(a): return abstractmethod(mean)',
  // A key of re's cache that equals every other.
  'import re\nclass K(int):\n def __eq__(s, o): return True\n def __hash__(s): return 0\ndef f(a): return re.compile("x", K(2))',
  'from typing import List\nclass K:\n __eq__ = lambda s, o: 1 / 0\n __hash__ = lambda s: hash(int)\ndef f(a): return List[K]',
  'import math as __builtins__\ndef f(a): return 1',
  'import os.path\ndef f(a): return 1',
  'try: pass\nexcept: pass\nelse: import ctypes\ndef f(a): return 1',
  // A builtin under a name that is bound elsewhere: in another function, as another's parameter, before a `del`.
  'def g(): eval = 1\ndef f(a): return eval("1")',
  'def g(getattr): return 1\ndef f(a): return getattr(f, "__globals__")',
  'class A:\n eval = 1\n del eval\n x = eval("2")\ndef f(a): return A.x',
  'try: import eval\nexcept ImportError: pass\ndef f(a): return eval("1")',
  // Its own module, by the name that a later program has in turn.
  'import program\ndef f(a): return 1',
  'import nowhere as math\nimport math\ndef f(a): return math.x',
  // `type` by what compares, prints or is called by the program itself.
  'class E:\n def __eq__(s, o): return o\nT = (E() == type(int))\ndef f(a): return 1',
  'class E:\n def __contains__(s, o): return s.x.append(o)\ndef f(a): return type(int) in E()',
  'def str(x): return x\nT = str(type(int))\ndef f(a): return 1',
  'def isinstance(x, t): return t\nT = isinstance(1, type(int))\ndef f(a): return 1',
  'def f(a): return type(a)(a)',
  'class A(**{"metaclass": lambda *a: int}): pass\ndef f(a): return 1',
]; // prettier-ignore

/**
 * Programs that would change what another one of the same process computes, by ways that no name gives away, and the
 * programs that show it. All of them were judged pure once.
 */
const POISONS: readonly string[] = [
  // copy stores attributes by text on whatever a forged reduction hands it.
  'import copy\nfrom collections import Counter\ndef f(a):\n r = lambda s, p=4: ((lambda: Counter), (), (None, {"items": lambda s: []}))\n copy.copy(type(int)("X", (), {"__reduce_ex__": r})())\n return 1',
  'import copy\nfrom enum import Enum\nfrom collections import Counter\ndef f(a):\n r = lambda s, p=4: ((lambda: Counter), (), (None, {"items": lambda s: []}))\n copy.copy(Enum("X", {"a": 1, "__reduce_ex__": r, "__copy__": None}).a)\n return 1',
  'import copy\nfrom enum import Enum\nfrom collections import Counter\nclass B(Enum): pass\ndef f(a):\n r = lambda s, p=4: ((lambda: Counter), (), (None, {"items": lambda s: []}))\n copy.copy(B("X", {"a": 1, "__reduce_ex__": r, "__copy__": None}).a)\n return 1',
  // A class that is equal to str finds its way into the cache of patterns, an int that is no plain flag too.
  'import re\nT = type(int)\nclass M(T):\n def __hash__(c): return hash(str)\n def __eq__(c, o): return True\nclass S(str, metaclass=M):\n def __hash__(s): return hash("a+")\n def __eq__(s, o): return True\ndef f(a):\n re.compile(S("b"))\n return 1',
  'import re\nclass F(int):\n def __hash__(s): return hash(0)\n def __eq__(s, o): return True\n def __and__(s, o): return 2 & o\ndef f(a):\n re.compile("a+", F(0))\n return 1',
  // A class that is equal to list does so in the cache of an abstract base class.
  'from typing import Hashable\nM = type(int)("M", (type(int),), {"__hash__": lambda c: hash(list), "__eq__": lambda c, o: True})\nkeep = M("K", (), {})()\ndef f(a): return isinstance(keep, Hashable)',
  // What stores attributes on its argument, given a class of everybody.
  'from abc import abstractmethod\nfrom collections import Counter\ndef f(a):\n abstractmethod(Counter)\n return 1',
  'import abc, collections\ndef f(a):\n g = abc.abstractmethod\n g(collections.Counter)\n return 1',
  'from abc import abstractmethod\nfrom collections import Counter\n@abstractmethod\n@(lambda c: Counter)\nclass A: pass\ndef f(a): return 1',
  'from abc import abstractmethod\nfrom collections import Counter\n@abstractmethod\nclass A(metaclass=lambda *a: Counter): pass\ndef f(a): return 1',
  // Memory that stays, for a program that catches what then fails.
  'x = [bytes(350 << 20)]\ndef f(a): return len(x)',
  'def f(a):\n x = [bytes(350 << 20)]\n x.append(x)\n return 1',
  // Finalisers that run among later programs.
  'def g():\n try: yield 1\n finally: import program; program.f = lambda a: 9\nx = g(); next(x)\nkeep = [x]\nkeep.append(keep)\ndef f(a): return 1',
]; // prettier-ignore
const SHOWING: readonly (readonly [code: string, input: string])[] = [
  ['from collections import Counter\ndef f(a): return sorted(Counter(a).items())', '"aab"'],
  ['import re\ndef f(a): return re.findall("a+", a)', '"baabAA"'],
  ['from typing import Hashable\ndef f(a): return isinstance(a, Hashable)', '[1]'],
  [
    'from abc import ABC\nfrom collections import Counter\nclass A(ABC):\n kind = Counter\ndef f(a):\n A()\n return 1',
    '1',
  ],
  ['def f(a):\n try: return len(bytes(300 << 20))\n except MemoryError: return 0', '1'],
  ['def f(a):\n for _ in range(3000): a = [a, [a]]\n return 3', '1'],
]; // prettier-ignore

/** A program that would change what another computes, if the two were run in one process, and the other. */
const POISONED_PAIRS: readonly (readonly [name: string, poison: string, victim: string])[] = [
  [
    "a key of re's cache that equals every other",
    'import re\nclass K(int):\n def __eq__(s, o): return True\n def __hash__(s): return hash(0)\ndef f(a):\n re.compile("abc", K(2))\n return 1',
    'import re\ndef f(a): return re.findall("abc", "ABC")',
  ],
  [
    'a builtin whose name another scope binds',
    'def f(a):\n eval("__import__(\'math\')").pi = 3\n return 1\ndef g():\n eval = 1',
    'import math\ndef f(a): return math.pi',
  ],
  [
    'a class from data whose copy stores attributes',
    'import copy\nfrom collections import Counter\nT = type(int)\ndef f(a):\n copy.copy(T("A", (), {"__reduce_ex__": lambda s, p: (lambda: Counter, (), (None, {"most_common": 3}))})())\n return 1',
    'from collections import Counter\ndef f(a): return Counter("aab").most_common(1)',
  ],
  [
    'a decorator called on what all share',
    'from dataclasses import dataclass\nfrom collections import Counter\ndef f(a):\n dataclass(Counter)\n return 1',
    'from collections import Counter\ndef f(a): return Counter("aab")["a"]',
  ],
  [
    "memory held by typing's cache, missed where MemoryError is caught",
    'from typing import List\nclass A:\n x = [0] * 45_000_000\ndef f(a):\n List[A]\n return 1',
    'def f(a):\n try: return len("x" * 200_000_000)\n except MemoryError: return -1',
  ],
  [
    'a generator that is ended while another program runs',
    'def g():\n try: yield 1\n finally:\n  for i in range(10**5): pass\nx = g()\nnext(x)\nclass C: pass\nc = C()\nc.c = c\nc.x = x\ndef f(a): return 1',
    'def f(a): return [[i] for i in range(3000)][-1]',
  ],
]; // prettier-ignore

/** Ordinary programs that should share a process. */
const PURE: readonly string[] = [
  'def f(x):\n x = sorted(x)\n return [(d + 1) % 10 for d in x][::-1]',
  'from collections import Counter, defaultdict\ndef f(a):\n d = defaultdict(list)\n for k in a: d[k].append(1)\n return Counter(a).most_common(2)',
  'import math, itertools\ndef f(n): return [math.gcd(n, 4), list(itertools.accumulate(range(n)))]',
  'class P:\n def __init__(self, x): self.x = x\n def area(self): return self.x ** 2\ndef f(a): return P(a).area()',
  'class A:\n def __init__(self): self.items = []\nclass B(A):\n def __init__(self):\n  super().__init__()\n  self.n = 0\ndef f(a): return B().items',
  'def f(s): return "{}-{:>4}".format(s, 1) + f"{s!r}" + "%d" % 3 + ", ".join(sorted(set(str(s))))',
  'from functools import lru_cache, reduce\n@lru_cache(None)\ndef g(n): return 1 if n < 2 else g(n - 1) + g(n - 2)\ndef f(a): return g(20)',
  'from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\n y: int = 2\ndef f(a): return P(a).x',
  'from typing import List\ndef f(a: List[int]) -> int: return sum(a)',
  'import re\ndef f(s): return re.sub("[0-9]+", lambda m: m.group(0) * 2, str(s))',
  'import heapq\ndef f(a):\n h = list(a)\n heapq.heapify(h)\n return heapq.heappop(h)',
  'def f(a):\n match a:\n  case [x, *rest]: return rest\n  case {"k": v}: return v\n  case _: return a',
  'def f(a):\n def g():\n  nonlocal a\n  a = 1\n g()\n return a',
  'def f(a): return type(a).__name__',
  'def f(a): return type(a) in (int, str) or type(a) == list',
  'from collections.abc import Sequence\ndef f(a): return isinstance(a, Sequence)',
  'from decimal import Decimal\ndef f(a): return str(Decimal("0.1") + Decimal(a))',
  'import base64\ndef f(a): return base64.b64encode(str(a).encode()).decode()',
  'from functools import total_ordering\n@total_ordering\nclass A:\n def __lt__(s, o): return True\ndef f(a): return A() < A()',
  'class A:\n def __eq__(s, o): return True\n def __hash__(s): return 1\ndef f(a): return A() == A()',
  'def f(a): return type(a) == int or type(a) in (str, list) or isinstance(a, type(1)) or hasattr(a, "keys")',
  'from abc import ABC, abstractmethod\nclass A(ABC):\n @property\n @abstractmethod\n def x(self): ...\ndef f(a): return 1',
  'import numpy as nowhere\ndef f(a): return nowhere.linalg.norm(a)',
  'from collections.abc import Sequence\nfrom queue import Queue\nfrom base64 import b64encode\nfrom decimal import Decimal\ndef f(a): return isinstance(a, Sequence)',
  'def f(input, id=1): return input + id',
]; // prettier-ignore

/** Not pure, and one call could tell the next: each input gets its own process. */
const STATEFUL: readonly string[] = [
  'import builtins\ndef f(a):\n builtins.n = getattr(builtins, "n", 0) + 1\n return builtins.n',
  'import math\ndef f(a):\n math.n = getattr(math, "n", 0) + 1\n return math.n',
  'import sys\ndef f(a):\n sys.modules["x"] = sys.modules.get("x", 0) + 1\n return sys.modules["x"]',
  'import sys\ndef f(a):\n l = sys.getrecursionlimit()\n sys.setrecursionlimit(l + 1)\n return l',
  'import collections\ndef f(a):\n c = collections.Counter\n c.n = getattr(c, "n", 0) + 1\n return c.n',
  'def f(a):\n import random\n random.seed(random.n if hasattr(random, "n") else 5)\n random.n = 6\n return random.random()',
  'def f(a):\n l = type(f).__subclasses__\n return __import__("gc").get_count() and len([]) ',
  'import os\ndef f(a):\n os.environ["N"] = os.environ.get("N", "") + "x"\n return os.environ["N"]',
  'from collections import Counter\ndef f(a):\n Counter.n = (Counter.n if "n" in dir(Counter) else 0) + 1\n return Counter.n',
  'import sys\ndef f(a):\n sys.path.append("x")\n return sys.path.count("x")',
  'import decimal\ndef f(a):\n decimal.getcontext().prec += 1\n return decimal.getcontext().prec',
  'import warnings\ndef f(a):\n warnings.simplefilter("ignore", append=True)\n return len(warnings.filters)',
  'import codecs\ndef f(a):\n try: return codecs.lookup_error("x") and 1\n except LookupError: return codecs.register_error("x", len)',
  'import gc\ndef f(a):\n gc.callbacks.append(len)\n gc.callbacks.append(id)\n return len(gc.callbacks)',
  'import signal\ndef f(a): return str(signal.signal(signal.SIGUSR1, signal.SIG_IGN))',
  'import sys\ndef f(a):\n old = sys.gettrace() is None\n sys.settrace(lambda *a: None)\n return old',
  'import sys\ndef f(a):\n old = sys.getswitchinterval()\n sys.setswitchinterval(old * 2)\n return old',
  'import string\ndef f(a):\n d = string.capwords.__defaults__\n string.capwords.__defaults__ = ("-",)\n return d',
  'from abc import ABC, abstractmethod\nfrom collections import Counter\nclass A(ABC): kind = Counter\ndef f(a):\n A()\n abstractmethod(Counter)\n class B(ABC): kind = Counter\n B()',
  'import re\nclass F(int):\n def __hash__(s): return 0\n def __eq__(s, o): return True\n def __and__(s, o): return 2 & o\ndef f(a):\n x = re.findall("a+", "Aa")\n re.compile("a+", F(0))\n return x',
  'keep = []\ndef f(a):\n import itertools\n try: x = [bytes(200 << 20)]\n except MemoryError: return 0\n x.append(x)\n return 1',
]; // prettier-ignore

/** Outcomes as they are compared: messages may name addresses. */
function comparable(outcomes: readonly Outcome[]): unknown {
  return outcomes.map((outcome) =>
    outcome.kind === 'raised' ? { kind: outcome.kind, error: outcome.error } : outcome,
  );
}

const STATEMENTS: readonly string[] = [
  'x = sorted(x)',
  'x = x[::-1]',
  'x = x[1:]',
  'x = [d // (d - 2) for d in x]',
  'x = x + [len(x)]',
  'x = [max(x)] + x',
  'x.append(x)',
  'x = [{1: d, "k": (d,)} for d in x]',
  'x = {d for d in x}\n x = list(x)',
  'seen.append(1)\n x = x + seen',
  'global count\n count += 1\n x = x + [count]',
  'f.n = getattr(f, "n", 0) + 1\n x = x + [f.n]',
  'import math\n x = x + [math.sqrt(4)]',
  'from collections import Counter\n x = x + list(Counter(x).most_common(1))',
  'x = x + [acc.pop() if acc else None]',
  'raise KeyError(len(x))',
  'x = f(x) if len(x) > 5 else x',
  'x = x * 100000',
  'x = lambda: x',
  'x = float("nan")',
  'while len(x) > 8: pass',
  'x = [[0] * 10**10]',
  'import sys\n sys.setrecursionlimit(50)',
  'import os\n os._exit(0)',
  'x = "\\ud800" + str(x)',
  'x = x + [a.__class__.__name__ for a in x]',
]; // prettier-ignore

describe.skipIf(!isolation.ok)('execution classes', () => {
  let sandbox: LocalSandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 2, limits: { cpuMs: 300 } });
  });
  afterAll(() => sandbox.close());

  it('no way out of a shared process counts as pure', async () => {
    const analyses = await sandbox.analyse(ESCAPES);
    expect(ESCAPES.filter((_, i) => analyses[i]?.pure !== false)).toEqual([]);
  });

  it('ordinary programs count as pure', async () => {
    const analyses = await sandbox.analyse(PURE);
    expect(PURE.flatMap((code, i) => (analyses[i]?.pure === true ? [] : [[code, analyses[i]?.why]]))).toEqual(
      [],
    );
  });

  it('no program changes what another one of its batch computes', async () => {
    const alone = await sandbox.runMany(
      SHOWING.map(([code, input], i) => ({ id: String(i), code, inputs: [input], class: 'strict' as const })),
    );
    for (const code of POISONS) {
      const poison = { id: 'poison', code, inputs: ['1'] };
      const results = await sandbox.runMany([
        poison,
        ...SHOWING.map(([shown, input], i) => ({ id: String(i), code: shown, inputs: [input] })),
      ]);
      expect(
        results.slice(1).map(({ outcomes }) => comparable(outcomes)),
        code,
      ).toEqual(alone.map(({ outcomes }) => comparable(outcomes)));
      const [own] = await sandbox.runMany([{ ...poison, class: 'strict' as const }]);
      expect(comparable(results[0]?.outcomes ?? []), code).toEqual(comparable(own?.outcomes ?? []));
    }
  });

  it('what could carry state between inputs is run input by input', async () => {
    const inputs = ['1', '2', '3'];
    const plain = await sandbox.runMany(STATEFUL.map((code, i) => ({ id: String(i), code, inputs })));
    const strict = await sandbox.runMany(
      STATEFUL.map((code, i) => ({ id: String(i), code, inputs, class: 'strict' as const })),
    );
    expect(plain.map(({ outcomes }) => comparable(outcomes))).toEqual(
      strict.map(({ outcomes }) => comparable(outcomes)),
    );
  });

  it.each(POISONED_PAIRS)('%s changes nothing for the next program', async (_name, poison, victim) => {
    const requests = [poison, victim, `${victim}\n# again`].map((code, i) => ({
      id: String(i),
      code,
      inputs: ['1'],
    }));
    const together = await sandbox.runMany(requests);
    const alone = await sandbox.runMany(
      requests.map((request) => ({ ...request, class: 'strict' as const })),
    );
    expect(together.map(({ outcomes }) => outcomes)).toEqual(alone.map(({ outcomes }) => outcomes));
  });

  it('give the same outcomes for random programs', async () => {
    const program = fc.record({
      lines: fc.array(fc.constantFrom(...STATEMENTS), { minLength: 1, maxLength: 4 }),
      inputs: fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }), {
        minLength: 1,
        maxLength: 4,
      }),
    });
    const programs = fc.sample(program, { numRuns: 300, seed: 20_251 });
    const requests = programs.map(({ lines, inputs }, i) => ({
      id: String(i),
      code: `seen = []\ncount = 0\ndef f(x, acc=[7]):\n ${lines.join('\n ')}\n return x`,
      inputs: inputs.map((input) => JSON.stringify(input)),
    }));
    const [plain, strict, batched] = await Promise.all([
      sandbox.runMany(requests),
      sandbox.runMany(requests.map((request) => ({ ...request, class: 'strict' as const }))),
      sandbox.runMany(requests.map((request) => ({ ...request, class: 'batched' as const }))),
    ]);
    const kinds = new Set(strict.flatMap(({ outcomes }) => outcomes.map(({ kind }) => kind)));
    expect([...kinds]).toEqual(
      expect.arrayContaining([
        'value',
        'raised',
        'timeout',
        'memory',
        'nan',
        'not-literal',
        'no-result',
        'too-large',
      ]),
    );
    const differing = (other: typeof strict): unknown[] =>
      strict.flatMap((result, i) => {
        const left = JSON.stringify(comparable(result.outcomes));
        const right = JSON.stringify(comparable(other[i]?.outcomes ?? []));
        return left === right ? [] : [[requests[i], left, right]];
      });
    expect(differing(batched)).toEqual([]);
    expect(differing(plain)).toEqual([]);
  });

  it('under several seeds a set is a value and its order is not', async () => {
    const words = '["alpha", "beta", "gamma", "delta", "epsilon"]';
    const [set, list] = await sandbox.runMany([
      { id: 'set', code: 'def f(a): return set(a)', inputs: [words], seeds: 3 },
      { id: 'list', code: 'def f(a): return list(set(a))', inputs: [words], seeds: 3 },
    ]);
    expect(set).toMatchObject({ deterministic: true, outcomes: [{ kind: 'value' }] });
    expect(list).toMatchObject({ deterministic: false, outcomes: [{ kind: 'nondeterministic' }] });
  });

  it('names what is wrong with a request', async () => {
    const request = { id: 'x', code: 'def f(a): return a', inputs: ['1'] };
    await expect(sandbox.run({ ...request, limits: { cpuMs: -1 } })).rejects.toThrow('limits.cpuMs is -1');
    await expect(sandbox.run({ ...request, seeds: 9 as 3 })).rejects.toThrow('request x: seeds is 9');
    await expect(createSandbox({ workers: 0 })).rejects.toThrow('workers is 0');
  });
});
