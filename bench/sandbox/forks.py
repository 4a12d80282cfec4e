"""The raw limit of forking: a bare template that forks children one after the other and waits for each.

No supervisor, no namespaces, no rlimits, no filter; the modules that the sandbox's zygote has loaded are loaded here, so
that a child pays for no import that ours does not. In mode `empty` the child leaves at once; in mode `exec` it compiles
one program, calls f on one input and writes the result's repr to a pipe which the template reads.
Protocol: one JSON line of [code, input] pairs on stdin -> "ready"; a line "MODE COUNT" -> "done".
"""
import gc
import json
import os
import sys

import _ast, bisect, collections, copy, ctypes, enum, functools, heapq, itertools, marshal, math, operator, re  # noqa
import resource, signal, string, struct, types, typing  # noqa


def empty(_pair):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def execute(pair):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            namespace = {}
            exec(compile(pair[0], "<program>", "exec"), namespace)
            text = repr(eval("f(%s)" % pair[1], namespace))
            os.write(write, text.encode("ascii", "backslashreplace")[:4096])
        finally:
            os._exit(0)
    os.close(write)
    while os.read(read, 1 << 16):
        pass
    os.close(read)
    os.waitpid(pid, 0)


def main():
    pairs = json.loads(sys.stdin.readline())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 2)
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        mode, count = line.split()
        one = {"empty": empty, "exec": execute}[mode]
        for i in range(int(count)):
            one(pairs[i % len(pairs)])
        print("done", flush=True)


if __name__ == "__main__":
    main()
