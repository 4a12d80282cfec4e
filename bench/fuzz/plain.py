"""The plain evaluation that the sandbox is compared with: CPython, a forked process an input, nothing of the harness.

Reads a JSON list of [code, [input]] from stdin; writes a JSON list of lists of texts: "V" + repr, "R" + class of the
exception, or "?" where it did not end by itself. Runs inside a throw-away namespace; for programs that mean no harm.
"""
import json
import os
import resource
import sys


def evaluate(code, text):
    resource.setrlimit(resource.RLIMIT_CPU, (2, 3))
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    try:
        space = {"__name__": "program"}
        exec(code, space)
        value = eval("f(" + text + "\n)", space)
        return "V" + ascii(value)
    except MemoryError:
        return "?"
    except BaseException as error:
        return "R" + type(error).__name__


def run(code, text):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        answer = evaluate(code, text).encode("ascii", "backslashreplace")
        while answer:
            answer = answer[os.write(writer, answer):]
        os._exit(0)
    os.close(writer)
    parts = []
    while True:
        part = os.read(reader, 1 << 16)
        if not part:
            break
        parts.append(part)
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    return b"".join(parts).decode("ascii") if status == 0 else "?"


json.dump([[run(code, text) for text in inputs] for code, inputs in json.load(sys.stdin)], sys.stdout)
