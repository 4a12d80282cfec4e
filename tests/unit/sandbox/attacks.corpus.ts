/**
 * Hostile programs and what the sandbox must answer, in any execution class. One outcome of `expect` must be the answer:
 * `ok TEXT`, `raised CLASS`, `timeout`, `memory`, `killed SIGNAL`, `too-large`, `not-literal TYPE`, `nan`,
 * `nondeterministic`, `no-result`, `refused`. A word alone matches any detail.
 */
export interface Attack {
  readonly id: string;
  readonly code: string;
  /** Argument text; default `1`. */
  readonly input?: string;
  readonly expect: readonly string[];
  readonly seeds?: 1 | 2 | 3;
}

const body = (...lines: string[]): string => `def f(a):\n${lines.map((line) => ` ${line}`).join('\n')}\n`;
const withImport = (modules: string, ...lines: string[]): string => `import ${modules}\n${body(...lines)}`;
/** A call of libc by name: -1 says that the kernel refused. */
const libc = (call: string): string => withImport('ctypes', `return ctypes.CDLL(None).${call}`);

export const ATTACKS: readonly Attack[] = [
  // Exhaustion
  { id: 'loop-finally', code: body('while True:', '  try: continue', '  finally: pass'), expect: ['timeout'] },
  { id: 'loop-comprehension', code: body('return [0 for _ in iter(int, 1)]'), expect: ['memory', 'timeout'] },
  { id: 'loop-in-repr', code: body('class E(Exception):', '  def __str__(s):', '    while True: pass', 'raise E()'), expect: ['timeout'] },
  { id: 'loop-in-hash', code: body('class H:', '  def __hash__(s):', '    while True: pass', 'return {H(): 1}'), expect: ['timeout'] },
  { id: 'loop-at-import', code: 'while True: pass\ndef f(a): return a', expect: ['timeout'] },
  { id: 'loop-in-del', code: body('class D:', '  def __del__(s):', '    while True: pass', 'd = D()', 'return 1'), expect: ['timeout'] },
  { id: 'power-tower', code: body('return 9**9**9'), expect: ['timeout', 'memory'] },
  { id: 'constant-fold', code: body('return (1,) * (10**9)'), expect: ['memory'] },
  { id: 'big-shift', code: body('return 1 << (1 << 40)'), expect: ['memory', 'raised OverflowError'] },
  { id: 'string-bomb', code: body('s = "x"', 'while True: s += s'), expect: ['memory', 'timeout'] },
  { id: 'dict-bomb', code: body('d = {}', 'i = 0', 'while True:', '  d[i] = bytearray(1 << 16)', '  i += 1'), expect: ['memory'] },
  { id: 'range-list', code: body('return list(range(10**12))'), expect: ['memory', 'raised OverflowError'] },
  { id: 'memory-caught', code: body('x = []', 'try:', '  while True: x.append(bytearray(1 << 20))', 'except MemoryError:', '  x.clear()', 'return 1'), expect: ['ok 1', 'memory', 'timeout'] },
  { id: 'mutual-recursion', code: 'def g(n): return f(n)\ndef f(a): return g(a)', expect: ['raised RecursionError'] },
  { id: 'recursion-caught', code: body('try:', '  return f(a)', 'except RecursionError:', '  return f(a)'), expect: ['raised RecursionError', 'timeout'] },
  { id: 'deep-list', code: body('x = []', 'for _ in range(10**5): x = [x]', 'return x'), expect: ['too-large'] },
  { id: 'cyclic-list', code: body('x = []', 'x.append(x)', 'return x'), expect: ['too-large'] },
  { id: 'cyclic-dict', code: body('d = {}', 'd[1] = d', 'return d'), expect: ['too-large'] },
  { id: 'shared-structure', code: body('x = (1,)', 'for _ in range(40): x = (x, x)', 'return x'), expect: ['too-large'] },
  { id: 'long-text', code: body('return "x" * 10**7'), expect: ['too-large'] },
  { id: 'many-items', code: body('return list(range(50000))'), expect: ['too-large'] },
  { id: 'escaped-text', code: body('return "\\u1234" * 100000'), expect: ['too-large'] },
  { id: 'regex-backtrack', code: withImport('re', 'return bool(re.match("(x+x+)+y", "x" * 40))'), expect: ['timeout'] },
  { id: 'int-parse', code: body('return int("9" * 5000)'), expect: ['raised ValueError'] },
  { id: 'int-digits-lifted', code: withImport('sys', 'sys.set_int_max_str_digits(0)', 'return 10**5000'), expect: ['raised ValueError'] },
  { id: 'sum-of-generator', code: body('return sum(i for i in iter(lambda: 1, 2))'), expect: ['timeout'] },
  { id: 'gc-thresholds', code: withImport('gc', 'gc.disable()', 'for _ in range(1000):', '  x = []', '  x.append(x)', 'return 1'), expect: ['ok 1'] },
  { id: 'alarm', code: withImport('signal', 'signal.alarm(1)', 'while True: pass'), expect: ['timeout', 'raised PermissionError', 'ok'] },
  { id: 'sigaction', code: withImport('signal', 'signal.signal(signal.SIGXCPU, signal.SIG_IGN)', 'while True: pass'), expect: ['timeout'] },
  { id: 'select-wait', code: withImport('select', 'select.select([], [], [])', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'poll-wait', code: withImport('select', 'select.poll().poll()', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'condition-wait', code: withImport('threading', 'threading.Lock().acquire() and threading.Event().wait(99)', 'return 1'), expect: ['ok 1', 'timeout', 'raised'] },
  { id: 'trickle', code: withImport('os', 'while True:', '  for _ in range(10**5): pass', '  os.write(3, b"\\x00")'), expect: ['timeout', 'no-result'] },
  { id: 'frame-flood', code: withImport('os', 'while True: os.write(3, b"\\x02\\x00\\x00\\x00V1")'), expect: ['timeout', 'no-result'] },
  { id: 'huge-frame-header', code: withImport('os', 'os.write(3, b"\\xff\\xff\\xff\\x7f")', 'return 1'), expect: ['no-result'] },

  // Breaking out, reading the host
  { id: 'exec-shell', code: withImport('os', 'os.execv("/bin/sh", ["sh"])'), expect: ['raised PermissionError'] },
  { id: 'system', code: withImport('os', 'return os.system("id")'), expect: ['raised', 'ok -1', 'ok 32512'] },
  { id: 'popen', code: withImport('subprocess', 'return subprocess.run(["/bin/true"]).returncode'), expect: ['raised PermissionError'] },
  { id: 'spawn', code: withImport('os', 'return os.posix_spawn("/bin/true", ["true"], {})'), expect: ['raised PermissionError'] },
  { id: 'forkpty', code: withImport('pty', 'return pty.fork()[0]'), expect: ['raised'] },
  { id: 'multiprocessing', code: withImport('multiprocessing', 'p = multiprocessing.Process(target=print)', 'p.start()', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'kill-all', code: withImport('os', 'os.kill(-1, 9)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'kill-init', code: withImport('os', 'os.kill(1, 9)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'kill-supervisor', code: withImport('os', 'for p in range(2, 50):', '  try: os.kill(p, 9)', '  except PermissionError: pass', 'return 1'), expect: ['ok 1'] },
  { id: 'tgkill', code: libc('syscall(234, 2, 2, 9)'), expect: ['ok -1'] },
  { id: 'fcntl-owner', code: withImport('fcntl', 'fcntl.fcntl(3, 8, 2)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'fcntl-signal', code: withImport('fcntl', 'fcntl.fcntl(3, 10, 9)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'fcntl-async', code: withImport('fcntl', 'fcntl.fcntl(3, 4, 0o20000)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'ioctl-async', code: withImport('fcntl', 'fcntl.ioctl(3, 0x5452, 1)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'ptrace', code: libc('ptrace(16, 2, 0, 0)'), expect: ['ok -1'] },
  { id: 'pidfd', code: libc('syscall(434, 2, 0)'), expect: ['ok -1'] },
  { id: 'setns', code: libc('setns(3, 0)'), expect: ['ok -1'] },
  { id: 'mount', code: libc('mount(b"none", b"/tmp", b"tmpfs", 0, 0)'), expect: ['ok -1'] },
  { id: 'bpf', code: libc('syscall(321, 0, 0, 0)'), expect: ['ok -1'] },
  { id: 'keyctl', code: libc('syscall(250, 0, 0)'), expect: ['ok -1'] },
  { id: 'io-uring', code: libc('syscall(425, 1, 0)'), expect: ['ok -1'] },
  { id: 'userfaultfd', code: libc('syscall(323, 0)'), expect: ['ok -1'] },
  { id: 'memfd', code: withImport('os', 'return os.memfd_create("x")'), expect: ['raised PermissionError'] },
  { id: 'x32-call', code: libc('syscall(0x40000000 + 39)'), expect: ['ok -1'] },
  { id: 'seccomp-again', code: libc('syscall(317, 1, 0, 0)'), expect: ['ok -1'] },
  { id: 'setuid', code: withImport('os', 'os.setuid(0)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'setrlimit-raw', code: libc('syscall(302, 0, 0, 0, 0)'), expect: ['ok -1'] },
  { id: 'symlink', code: withImport('os', 'os.symlink("/", "/tmp/l")', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'unlink', code: withImport('os', 'os.unlink("/sandbox/child.py")', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'rename', code: withImport('os', 'os.rename("/sandbox/child.py", "/tmp/x")', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'chmod', code: withImport('os', 'os.chmod("/tmp", 0o777)', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'append-open', code: body('open("/sandbox/child.py", "a")', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'dev-null-write', code: body('open("/dev/null", "w")', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'temporary-file', code: withImport('tempfile', 'tempfile.TemporaryFile()', 'return 1'), expect: ['raised'] },
  { id: 'sqlite', code: withImport('sqlite3', 'sqlite3.connect("/tmp/x").execute("create table t(x)")', 'return 1'), expect: ['raised'] },
  { id: 'proc', code: withImport('os', 'return os.path.exists("/proc")'), expect: ['ok False'] },
  { id: 'sys-folder', code: withImport('os', 'return os.path.exists("/sys")'), expect: ['ok False'] },
  { id: 'devices', code: withImport('os', 'return sorted(os.listdir("/dev"))'), expect: ["ok ['null']"] },
  { id: 'root-listing', code: withImport('os', 'return [d for d in os.listdir("/") if d in ("home", "root", "etc", "var", "run", "srv", "opt", "proc", "sys")]'), expect: ['ok []'] },
  { id: 'pathlib-home', code: withImport('pathlib', 'return pathlib.Path("~").expanduser().exists()'), expect: ['ok False', 'raised'] },
  { id: 'dns', code: withImport('socket', 'return socket.gethostbyname("localhost")'), expect: ['raised'] },
  { id: 'url', code: withImport('urllib.request', 'return urllib.request.urlopen("http://127.0.0.1").status'), expect: ['raised'] },
  { id: 'socketpair', code: withImport('socket', 'return len(socket.socketpair())'), expect: ['raised PermissionError'] },
  { id: 'whoami', code: withImport('os', 'return [os.getuid(), os.geteuid(), os.getgid()]'), expect: ['ok [65534, 65534, 65534]'] },
  { id: 'abort', code: withImport('os', 'os.abort()'), expect: ['killed'] },
  { id: 'null-write', code: withImport('ctypes', 'ctypes.memset(0, 1, 8)', 'return 1'), expect: ['killed 11'] },
  { id: 'faulthandler', code: withImport('faulthandler', 'faulthandler._sigsegv()', 'return 1'), expect: ['killed', 'ok 1'] },

  // Forging and tampering
  { id: 'exit-frame', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 5) + b"Vxyz(")', 'os._exit(0)'), expect: ['no-result'] },
  { id: 'two-frames', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 2) + b"V1")', 'return 2'), expect: ['no-result'] },
  { id: 'frame-non-ascii', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 3) + b"V\\xff\\xff")', 'os._exit(0)'), expect: ['no-result'] },
  { id: 'frame-expression', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 5) + b"V6*7 ")', 'os._exit(0)'), expect: ['no-result'] },
  { id: 'frame-nan', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 4) + b"Vnan")', 'os._exit(0)'), expect: ['nan'] },
  { id: 'frame-then-fail', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 2) + b"V1")', 'os._exit(1)'), expect: ['no-result'] },
  { id: 'dup-over', code: withImport('os', 'os.close(3)', 'return 1'), expect: ['no-result'] },
  { id: 'keyboard-interrupt', code: body('raise KeyboardInterrupt'), expect: ['raised KeyboardInterrupt'] },
  { id: 'generator-exit', code: body('raise GeneratorExit'), expect: ['raised GeneratorExit'] },
  { id: 'raise-class-name', code: 'class E(Exception): pass\nE.__name__ = "V42"\n' + body('raise E("V42")'), expect: ['raised V42'] },
  { id: 'raise-newline-name', code: 'class E(Exception): pass\nE.__name__ = "A\\nV1"\n' + body('raise E()'), expect: ['raised'] },
  { id: 'raise-surrogate', code: body('raise ValueError("\\ud800" * 1000)'), expect: ['raised ValueError'] },
  { id: 'raise-str-subclass', code: 'class S(str):\n def __getitem__(s, i): raise SystemExit\nclass E(Exception):\n def __str__(s): return S("x")\n' + body('raise E()'), expect: ['raised E'] },
  { id: 'metaclass-name', code: 'class M(type):\n @property\n def __name__(c): return 1/0\nclass E(Exception, metaclass=M): pass\n' + body('raise E()'), expect: ['raised E'] },
  { id: 'int-subclass', code: 'class I(int):\n def __repr__(s): return "42"\n' + body('return I(7)'), expect: ['not-literal I'] },
  { id: 'list-subclass', code: 'class L(list):\n def __iter__(s): return iter([42])\n' + body('return L([7])'), expect: ['not-literal L'] },
  { id: 'nested-object', code: body('return [1, (2, {3: object()})]'), expect: ['not-literal object'] },
  { id: 'function-result', code: body('return lambda: 1'), expect: ['not-literal function'] },
  { id: 'generator-result', code: body('return (i for i in [1])'), expect: ['not-literal generator'] },
  { id: 'coroutine', code: 'async def f(a): return 1', expect: ['not-literal coroutine'] },
  { id: 'any-equal', code: withImport('unittest.mock', 'return unittest.mock.ANY'), expect: ['not-literal', 'raised'] },
  { id: 'ellipsis', code: body('return ...'), expect: ['not-literal ellipsis'] },
  { id: 'patch-marshal', code: 'import marshal, struct, sys\nsys.modules["child"].literal = lambda v, c: "42"\n' + body('return 7'), expect: ['ok 42', 'ok 7'] },
  { id: 'patch-dict-items', code: 'import builtins\nbuiltins.dict = None\nbuiltins.len = None\nbuiltins.sorted = None\n' + body('return {1: {2, 3}}'), expect: ['ok {1: {2, 3}}'] },
  { id: 'profile', code: 'import sys\nsys.setprofile(lambda *a: None)\n' + body('return 7'), expect: ['ok 7'] },
  { id: 'trace-raises', code: 'import sys\ndef t(*a): raise ValueError\n' + body('sys.settrace(t)', 'return 7'), expect: ['ok 7', 'raised ValueError', 'no-result'] },
  { id: 'recursion-limit-low', code: withImport('sys', 'sys.setrecursionlimit(12)', 'return [[[[[[[[[[1]]]]]]]]]]'), expect: ['ok', 'raised RecursionError'] },
  { id: 'exit-hook', code: 'import sys\nsys.excepthook = lambda *a: None\nsys.exitfunc = None\n' + body('return 7'), expect: ['ok 7'] },
  { id: 'import-hook', code: 'import sys\nclass H:\n def find_spec(s, *a): raise SystemExit\nsys.meta_path.insert(0, H())\n' + body('return 7'), expect: ['ok 7'] },
  { id: 'f-is-class', code: 'class f:\n def __new__(c, a): return 5', expect: ['ok 5'] },
  { id: 'f-is-number', code: 'f = 3', expect: ['raised TypeError'] },
  { id: 'f-deleted', code: 'def f(a): return a\ndel f', expect: ['raised NameError'] },

  // Argument texts
  { id: 'close-bracket', code: body('return a'), input: '1) or f(2', expect: ['refused'] },
  { id: 'argument-call', code: body('return a'), input: '__import__("os").getpid()', expect: ['refused'] },
  { id: 'argument-star', code: body('return a'), input: '*[1]', expect: ['refused'] },
  { id: 'argument-lambda', code: body('return a'), input: 'lambda: 0', expect: ['refused'] },
  { id: 'argument-comprehension', code: body('return a'), input: '[x for x in [1]]', expect: ['refused'] },
  { id: 'argument-f-string', code: body('return a'), input: 'f"{1}"', expect: ['refused'] },
  { id: 'argument-semicolon', code: body('return a'), input: '1); import os; (1', expect: ['refused'] },
  { id: 'argument-nul', code: body('return a'), input: '"\0"', expect: ['refused'] },
  { id: 'argument-deep', code: body('return a'), input: '['.repeat(5000), expect: ['refused'] },
  { id: 'argument-long', code: body('return a'), input: `"${'x'.repeat(20_000)}"`, expect: ['refused'] },
  { id: 'code-nul', code: 'def f(a): return 1\0', expect: ['refused'] },
  { id: 'code-long', code: `${body('return 1')}#${'x'.repeat(70_000)}`, expect: ['refused'] },
  { id: 'code-deep', code: body(`return ${'('.repeat(5000)}1${')'.repeat(5000)}`), expect: ['refused', 'raised', 'killed'] },
  { id: 'code-not-python', code: 'function f(a) { return a }', expect: ['refused'] },
  { id: 'code-surrogate', code: 'def f(a): return "\ud800"', expect: ['refused', 'raised'] },
  { id: 'code-encoding-line', code: '# -*- coding: rot13 -*-\n' + body('return 1'), expect: ['ok 1'] },
  { id: 'code-unary-chain', code: body(`return ${'-'.repeat(20_000)}1`), expect: ['refused', 'raised', 'killed', 'memory', 'ok'] },
  { id: 'code-nested-functions', code: Array.from({ length: 90 }, (_, i) => `${' '.repeat(i)}def f(a):`).join('\n') + `\n${' '.repeat(90)}return 1`, expect: ['refused', 'ok None', 'not-literal function', 'raised'] },

  // What differs from run to run
  { id: 'random-module', code: withImport('random', 'return random.random()'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'uuid', code: withImport('uuid', 'return uuid.uuid4().hex'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'secrets', code: withImport('secrets', 'return secrets.token_hex(8)'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'hash-of-text', code: body('return hash("abc")'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'set-order', code: body('return list({"alpha", "beta", "gamma", "delta", "epsilon"})'), expect: ['nondeterministic'], seeds: 3 },
  { id: 'object-repr', code: body('return repr(object())'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'lambda-text', code: body('return str(lambda: 0)'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'environment', code: withImport('os', 'return os.environ["NOISE"]'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'monotonic', code: withImport('time', 'return time.monotonic_ns()'), expect: ['nondeterministic'], seeds: 2 },
  { id: 'raise-by-chance', code: body('if hash("abc") % 2: raise ValueError', 'raise KeyError'), expect: ['nondeterministic', 'raised'], seeds: 3 },
  { id: 'set-itself', code: body('return {"alpha", "beta", "gamma"}'), expect: ["ok {'alpha', 'beta', 'gamma'}"], seeds: 3 },
  { id: 'memory-view-id', code: body('return [id(a) for a in ([], [])]'), expect: ['nondeterministic'], seeds: 2 },
  // The interpreter's own hooks, frames and descriptors turned against the harness; it may be read and patched at will
  // from inside, which buys nothing that `return` does not.
  { id: 'gc-callback', code: withImport('gc', 'gc.callbacks.append(lambda p, i: [].append(1/0))', 'gc.collect()', 'return 1'), expect: ['ok 1'] },
  { id: 'audit-hook', code: withImport('sys', 'def h(e, x):', '  raise RuntimeError(e)', 'sys.addaudithook(h)', 'return 1'), expect: ['ok 1'] },
  { id: 'audit-hook-exit', code: withImport('sys, os', 'sys.addaudithook(lambda e, x: os._exit(0))', 'return 1'), expect: ['ok 1'] },
  { id: 'setprofile', code: withImport('sys, os', 'sys.setprofile(lambda fr, ev, arg: os._exit(0) if ev == "c_call" and arg is os.write else None)', 'return 1'), expect: ['no-result'] },
  { id: 'trace-harness-locals', code: withImport('sys', 'fr = sys._getframe(1)', 'fr.f_locals["cap"] = 1', 'fr.f_trace = lambda *x: None', 'return "x" * 100'), expect: ["ok 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"] },
  { id: 'ctypes-frame-locals', code: withImport('ctypes, sys', 'fr = sys._getframe(1)', 'fr.f_locals["text"] = "9"', 'ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(fr), ctypes.c_int(0))', 'return 1'), expect: ['ok 1'] },
  { id: 'metaclass-in-set', code: body('class M(type):', '  def __hash__(c): raise SystemExit', '  def __eq__(c, o): return True', 'class K(metaclass=M): pass', 'return {K()}'), expect: ['raised SystemExit'] },
  { id: 'dict-grows-while-written', code: body('class S(str):', '  def __format__(s, x): return "9"', 'd = {}', 'd[1] = d.items()', 'return d'), expect: ['not-literal dict_items'] },
  { id: 'exception-lying-name', code: body('class M(type):', '  __name__ = property(lambda c: "ValueError")', 'class E(Exception, metaclass=M): pass', 'raise E()'), expect: ['raised E'] },
  { id: 'exception-str-forges', code: body('class E(Exception):', '  def __str__(s): return "x\\nV1\\n"', 'raise E()'), expect: ['raised E'] },
  { id: 'generator-close-loop', code: body('def g():', '  while True:', '    try: yield 1', '    except GeneratorExit: pass', 'x = g()', 'next(x)', 'return 1'), expect: ['ok 1'] },
  { id: 'weakref-finalize', code: withImport('weakref, os', 'class K: pass', 'k = K()', 'weakref.finalize(k, os._exit, 0)', 'return 1'), expect: ['no-result'] },
  { id: 'fd-half-frame', code: withImport('os, struct', 'os.write(3, struct.pack("<I", 100) + b"V")', 'return 1'), expect: ['no-result'] },
  { id: 'fd-dup-keep', code: withImport('fcntl, os', 'fd = fcntl.fcntl(3, fcntl.F_DUPFD, 10)', 'os.close(3)', 'return 1'), expect: ['no-result'] },
  { id: 'fd-nonblock', code: withImport('fcntl, os', 'fcntl.fcntl(3, fcntl.F_SETFL, os.O_NONBLOCK)', 'return "x" * 200000'), expect: ['raised PermissionError'] },
  { id: 'frame-raise-forged', code: withImport('os, struct', 'b = b"RCorrect"', 'os.write(3, struct.pack("<I", len(b)) + b)', 'os._exit(0)'), expect: ['raised Correct'] },
  { id: 'frame-constructor-forged', code: withImport('os, struct', 'b = b"Vrange(3)"', 'os.write(3, struct.pack("<I", len(b)) + b)', 'os._exit(0)'), expect: ['no-result'] },
  { id: 'status-unshared-forged', code: withImport('os', 'os._exit(96)'), expect: ['no-result'] },
  { id: 'decimal-context-trap', code: withImport('decimal', 'decimal.getcontext().traps[decimal.Inexact] = True', 'return str(decimal.Decimal(1) / 4)'), expect: ["ok '0.25'"] },
  { id: 'codecs-replace-ascii', code: withImport('codecs', 'codecs.register(lambda n: None)', 'codecs.register_error("strict", lambda e: ("9", e.end))', 'return "\\u00e9"'), expect: ["ok '\\xe9'"] },
  { id: 'sys-modules-child', code: withImport('sys', 'import child', 'child.literal = lambda v, c: "9"', 'child._ascii = lambda x: "9"', 'return "x"'), expect: ['ok 9'] },
  { id: 'patch-child-emit', code: withImport('sys, os', 'child = sys.modules["child"]', 'def emit(x): os._exit(0)', 'child.emit = emit', 'return 1'), expect: ['no-result'] },
  { id: 'patch-child-code', code: withImport('sys', 'child = sys.modules["child"]', 'child.run_one.__code__ = (lambda c, t, k: b"V9").__code__', 'return 1'), expect: ['ok 1'] },
  { id: 'inotify', code: withImport('ctypes', 'return ctypes.CDLL(None).inotify_init1(0)'), expect: ['ok -1'] },
  { id: 'shm', code: withImport('ctypes', 'return ctypes.CDLL(None).shmget(0, 4096, 0o1600)'), expect: ['ok -1'] },
  { id: 'timer-signal', code: withImport('signal', 'signal.setitimer(signal.ITIMER_REAL, 0.01)', 'return 1'), expect: ['raised'] },
  { id: 'sched-realtime', code: withImport('os', 'os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))', 'return 1'), expect: ['raised PermissionError'] },
  { id: 'nice-down', code: withImport('os', 'return os.nice(-5)'), expect: ['raised PermissionError'] },
  { id: 'mlock', code: withImport('ctypes', 'return ctypes.CDLL(None).mlockall(3)'), expect: ['ok -1'] },
  { id: 'personality', code: withImport('ctypes', 'return ctypes.CDLL(None).personality(0x0040000)'), expect: ['ok -1'] },
]; // prettier-ignore

/** An outcome in the notation above. */
export function describeOutcome(outcome: { readonly kind: string } & Record<string, unknown>): string {
  const details: Record<string, unknown> = {
    value: outcome['text'],
    raised: outcome['error'],
    killed: outcome['signal'],
    'not-literal': outcome['type'],
    refused: outcome['reason'],
  };
  const word = outcome.kind === 'value' ? 'ok' : outcome.kind;
  const detail = details[outcome.kind];
  return typeof detail === 'string' || typeof detail === 'number' ? `${word} ${detail}` : word;
}

/** Does an answer match one of the expected ones? */
export function matches(expect: readonly string[], answer: string): boolean {
  return expect.some(
    (wanted) => answer === wanted || (!wanted.includes(' ') && answer.split(' ')[0] === wanted),
  );
}
