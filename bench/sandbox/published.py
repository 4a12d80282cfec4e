"""An in-process executor of the published kind: one persistent pool whose workers exec every program they are given.

Written from the description of the published design (arXiv 2505.03335 and its released code's behaviour), to measure
what it costs; it isolates nothing and is used by the bench only.

  a run       all lines of a text but the last are exec'd, the last is eval'd, stdout is captured; texts that call
              input() are refused; an alarm inside the worker; status and result are cut to 400 characters
  validation  syntax check, banned imports, one run that defines f, calls it twice, compares and gives repr of the result
  deduction   eval(gold) == eval(answer) here, in the trainer; where that is not true, once more in a worker, after the program
  abduction   gold == f(answer) in a worker
  induction   gold == f(input) in a worker, one run a hidden pair; right where all pairs are
  a comparison that cannot be read back is tried three times, with pauses of 0.1 and 0.2 s

The published trainer calls one run after the other, on a pool of one worker by default; here several callers may keep
several workers busy. Arguments: workers, callers, seconds, and a folder with the package pebble, whose pool is then used.
Protocol: one JSON line of tasks on stdin -> "ready"; the name of a phase -> one JSON line of verdicts.
"""
import ast
import io
import json
import re
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout

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


def run_text(text, seconds):
    """In a worker: (result text, status text)."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    try:
        if CALLS_INPUT.search(text):
            raise RuntimeError("input is not allowed")
        head, _, last = text.rpartition("\n")
        namespace = {}
        captured = io.StringIO()
        with redirect_stdout(captured):
            if "print(" in last:
                exec(text, namespace)
                result = captured.getvalue()
            else:
                exec(head, namespace)
                result = str(eval(last, namespace))
        return cut(result.strip()), DONE
    except BaseException as error:  # a worker of the published pool survives whatever a program raises
        return "", cut("%s: %s" % (type(error).__name__, error))
    finally:
        signal.alarm(0)


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

    def run(self, text, seconds):
        return self.pool.submit(run_text, text, seconds).result()

    def close(self):
        self.pool.shutdown()


class PebblePool:
    """The published design's pool (pebble), which kills a worker whose run outlasts its limit."""

    def __init__(self, workers, folder):
        sys.path.insert(0, folder)
        import pebble
        self.pool = pebble.ProcessPool(max_workers=workers)

    def run(self, text, seconds):
        try:
            return self.pool.schedule(run_text, args=(text, seconds), timeout=seconds + 1).result()
        except TimeoutError as error:
            return "", "TimeoutError: %s" % error

    def close(self):
        self.pool.close()
        self.pool.join()


class Trainer:
    def __init__(self, workers, seconds, pebble_folder):
        self.pool = PebblePool(workers, pebble_folder) if pebble_folder else StandardPool(workers)
        self.seconds = seconds
        self.retried = 0

    def run(self, text):
        return self.pool.run(text, self.seconds)

    def validate(self, code, text, banning):
        """The result's text, or None where the run is not valid. Induction proposals are held to no banned list."""
        call = "f(%s)" % text
        program = "%s\nresult = %s\nif result != %s:\n    raise Exception('Non-deterministic code')\nrepr(result)" % (
            code, call, call)
        try:
            ast.parse(program)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if banning and bans(program):
            return None
        result, status = self.run(program)
        return None if "error" in status.lower() or status != DONE else result

    def compare(self, text):
        """True or False, or None where the comparison cannot be read back."""
        for attempt in range(RETRIES):
            result, status = self.run(text)
            if "error" in status.lower():
                return False
            if result in ("True", "False"):
                return result == "True"
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
        return self.compare("%s\neval(%s) == eval(%s)" % (code, gold, answer)) is True

    def abduction(self, code, gold, answer):
        return self.compare("%s\n%s == f(%s)" % (code, gold, answer)) is True

    def induction(self, answer, pairs):
        found = [self.compare("%s\n%s == f(%s)" % (answer, output, text)) for text, output in pairs]
        found = [one for one in found if one is not None]
        return bool(found) and all(found)

    def task(self, task):
        kind = task["kind"]
        if kind == "validation":
            banning = len(task["inputs"]) == 1
            outputs = [self.validate(task["code"], text, banning) for text in task["inputs"]]
            return all(output is not None for output in outputs)
        if kind == "deduction":
            return self.deduction(task["code"], task["output"], task["answer"])
        if kind == "abduction":
            return self.abduction(task["code"], task["output"], task["answer"])
        return self.induction(task["answer"], [(p["input"], p["output"]) for p in task["pairs"]])


def main():
    workers, callers, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    phases = json.loads(sys.stdin.readline())
    trainer = Trainer(workers, seconds, sys.argv[4] if len(sys.argv) > 4 else "")
    # Both workers are started and have run something before the clock starts.
    warm = [threading.Thread(target=trainer.run, args=("import time\ntime.sleep(0.05)\n1",)) for _ in range(workers * 2)]
    for thread in warm:
        thread.start()
    for thread in warm:
        thread.join()
    print("ready", flush=True)
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
                verdicts[at] = trainer.task(tasks[at])

        before = trainer.retried
        threads = [threading.Thread(target=caller) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps({"verdicts": verdicts, "retried": trainer.retried - before}), flush=True)
    trainer.pool.close()


if __name__ == "__main__":
    main()
