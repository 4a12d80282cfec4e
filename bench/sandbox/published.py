"""An in-process executor of the published kind: one persistent pool whose workers exec every program they are given.

Written from the description of the published design (arXiv 2505.03335 and its released code's behaviour), to measure
what it costs; it isolates nothing and is used by the bench only.

  a call      the text is split into lines and sent to the pool with the executor's settings, as a map over one text; the
              answer's result and status are cut to 400 characters
  a run       all lines but the last are exec'd, the last is eval'd, each under an alarm of its own that is set and put
              back; where the last line prints, all is exec'd and stdout captured; texts that call input() are refused;
              the result must pass str() and pickle
  validation  banned imports, syntax check, one run that defines f, calls it twice, compares and gives repr of the result
  deduction   eval(gold) == eval(answer) here, in the trainer; where that is not true, once more in a worker, after the program
  abduction   gold == f(answer) in a worker, after a syntax check of the text
  induction   gold == f(input) in a worker, one run a hidden pair; right where all pairs are
  a comparison that cannot be read back is tried three times, with pauses of 0.1 and 0.2 s

The published trainer makes one call after the other, on a pool of one worker (executor_max_workers: 1); that is the way
which ours is held against. With more callers several workers are kept busy, which the published trainer does not do.
The pool is pebble's, as published, where pebble is found on PYTHONPATH, else the standard library's. Where the variable
AZR_REPO names a checkout of the published code, its own class is measured in place of all this; its packages (numpy,
pebble, regex, timeout-decorator, tqdm, python-dateutil) must then be on PYTHONPATH.
Arguments: workers, callers, seconds. Protocol: one JSON line of tasks on stdin -> "ready"; the name of a phase -> one JSON
line of verdicts.
"""
import ast
import io
import json
import os
import pickle
import re
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from functools import partial

try:
    import pebble
except ImportError:
    pebble = None

BANNED = frozenset("""
logging random multiprocessing pebble subprocess threading datetime time hashlib hmac bcrypt os.sys os.path sys.exit
os.environ calendar
""".split())
CALLS_INPUT = re.compile(r"input\(")
CUT = 400
RETRIES = 3
DONE = "Done"


def on_alarm(_signal, _frame):
    raise TimeoutError("time limit")


def cut(text):
    return text if len(text) <= CUT else text[:CUT // 2] + "..." + text[-(CUT // 2):]


def under_alarm(seconds, work, *args):
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work(*args)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Runtime:
    """The names that a run sees; it travels with every call."""

    def __init__(self):
        self.names = {}

    def define(self, text):
        if CALLS_INPUT.search(text):
            raise RuntimeError("input is not allowed")
        exec(text, self.names)

    def value(self, text):
        return eval(text, self.names)


def run_lines(lines, runtime, seconds):
    """In a worker: (result, status text)."""
    try:
        if "print(" in lines[-1]:
            captured = io.StringIO()
            with redirect_stdout(captured):
                under_alarm(seconds, runtime.define, "\n".join(lines))
            result = captured.getvalue()
        else:
            under_alarm(seconds, runtime.define, "\n".join(lines[:-1]))
            result = under_alarm(seconds, runtime.value, lines[-1])
        str(result)
        pickle.dumps(result)
        return result, DONE
    except BaseException:  # a worker of the published pool survives whatever a program raises
        return "", traceback.format_exc().split("\n")[-2]


def parses(text):
    try:
        ast.parse(text)
        return True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def bans(text):
    """An import one of whose parts is a banned word; text that does not parse is searched for whole words."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return any(re.search(r"\b%s\b" % re.escape(word), text) for word in BANNED)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] + [alias.name for alias in node.names]
        if any(part in BANNED for name in names for part in name.split(".")):
            return True
    return False


class StandardPool:
    """A persistent pool of the standard library."""

    def __init__(self, workers):
        self.pool = ProcessPoolExecutor(workers)

    def run(self, work, lines, seconds):
        return self.pool.submit(work, lines).result()

    def close(self):
        self.pool.shutdown()


class PebblePool:
    """The published design's pool (pebble), which kills a worker whose run outlasts its limit."""

    def __init__(self, workers):
        self.pool = pebble.ProcessPool(max_workers=workers)

    def run(self, work, lines, seconds):
        try:
            return next(self.pool.map(work, [lines], timeout=seconds).result())
        except TimeoutError as error:
            return "", "TimeoutError: %s" % error

    def close(self):
        self.pool.close()
        self.pool.join()


class Executor:
    def __init__(self, workers, seconds):
        self.pool = PebblePool(workers) if pebble else StandardPool(workers)
        self.seconds = seconds
        self.runtime = Runtime()
        self.retried = 0

    def run(self, text):
        work = partial(run_lines, runtime=self.runtime, seconds=self.seconds)
        result, status = self.pool.run(work, text.strip().split("\n"), self.seconds)
        return cut(str(result).strip()), cut(str(status).strip())

    def validate(self, code, text, banning):
        """Is the run valid? Induction proposals are held to no banned list."""
        call = "f(%s)" % text
        program = "%s\nresult = %s\nif result != %s:\n    raise Exception('Non-deterministic code')\nrepr(result)" % (
            code, call, call)
        if (banning and bans(code)) or not parses(program):
            return False
        return "error" not in self.run(program)[1].lower()

    def compare(self, text):
        """True or False, or None where the comparison cannot be read back."""
        if not parses(text):
            return False
        for attempt in range(RETRIES):
            result, status = self.run(text)
            if "error" in status.lower():
                return False
            try:
                return bool(eval(result))
            except Exception:
                self.retried += 1
                if attempt < RETRIES - 1:
                    time.sleep(0.1 * (attempt + 1))
        return None

    def deduction(self, code, gold, answer):
        try:
            if eval(gold) == eval(answer):
                return True
        except Exception:
            pass
        return self.compare("%s\neval(%s) == eval(%s)" % (code, gold, answer))

    def abduction(self, code, gold, answer):
        return self.compare("%s\n%s == f(%s)" % (code, gold, answer))

    def close(self):
        self.pool.close()


class PublishedExecutor:
    """The published class itself, called as the published trainer calls it."""

    def __init__(self, workers, seconds, checkout):
        sys.path.insert(0, checkout)
        from absolute_zero_reasoner.utils.code_utils.python_executor import PythonExecutor
        self.own = PythonExecutor(timeout_length=seconds, ast_check=True, max_workers=workers)
        # It makes its pool on the first call, no larger than that call's batch.
        self.own.batch_apply(["1"] * workers)
        self.retried = 0

    def run(self, text):
        return self.own.apply(text)

    def validate(self, code, text, banning):
        return self.own.check_all(code, text, banned_keywords=sorted(BANNED) if banning else [])[0]

    def deduction(self, code, gold, answer):
        return self.own.eval_output_prediction(code, gold, answer)

    def abduction(self, code, gold, answer):
        return self.own.eval_input_prediction(code, gold, answer)

    def close(self):
        self.own.cleanup()


def verdict(executor, task):
    kind = task["kind"]
    if kind == "validation":
        banning = len(task["inputs"]) == 1
        return all(executor.validate(task["code"], text, banning) for text in task["inputs"])
    if kind == "deduction":
        return bool(executor.deduction(task["code"], task["output"], task["answer"]))
    if kind == "abduction":
        return bool(executor.abduction(task["code"], task["output"], task["answer"]))
    # Pairs that give no verdict are left out of the mean, as published.
    found = [executor.abduction(task["answer"], p["output"], p["input"]) for p in task["pairs"]]
    found = [one for one in found if one is not None]
    return bool(found) and all(found)


def main():
    workers, callers, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    # What programs and the published class print must not end among the answers.
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    phases = json.loads(sys.stdin.readline())
    checkout = os.environ.get("AZR_REPO")
    executor = PublishedExecutor(workers, seconds, checkout) if checkout else Executor(workers, seconds)
    # Both workers are started and have run something before the clock starts.
    warm = [threading.Thread(target=executor.run, args=("import time\ntime.sleep(0.05)\n1",)) for _ in range(workers * 2)]
    for thread in warm:
        thread.start()
    for thread in warm:
        thread.join()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        tasks = phases[line.strip()]
        verdicts = [None] * len(tasks)
        turns = iter(range(len(tasks)))
        guard = threading.Lock()

        def caller():
            while True:
                with guard:
                    at = next(turns, None)
                if at is None:
                    return
                verdicts[at] = verdict(executor, tasks[at])

        before = executor.retried
        threads = [threading.Thread(target=caller) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps({"verdicts": verdicts, "retried": executor.retried - before}), file=answers, flush=True)
    executor.close()


if __name__ == "__main__":
    main()
