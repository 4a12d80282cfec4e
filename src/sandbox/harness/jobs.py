"""Jobs: the supervisor's work, from a request to its answer. No program is ever executed here.

Request  {"n", "mode": "run"|"analyse"|"tree"|"texts", "programs": [{"code", "compiled"?, "inputs": [text]}], "cpuMs",
          "memoryMiB", "resultBytes"}
Answer   {"n", "frames": [text], "broken": bool, "end": "exit"|"signal"|"timeout", "code", "cpu": us, "rss": KiB}
Both are JSON behind a u32 little-endian length, on stdin and stdout. Answers hold kernel facts only; their meaning is
decided outside.

A request reaches its child through a file of memory that the child closes before it runs anything; results come through
one pipe, which is empty when the next child is ordered: the one before has been waited for, and all it wrote was read.

CPU time of the child is read from its own clock, clock id (~pid << 3) | 2 (linux/posix-timers.h, CPUCLOCK_SCHED), so a
busy machine does not turn into timeouts. In mode run with one program each result frame starts the limit anew.

Children get code objects where they can: the parser's memory is what a forked child pays most for. A program's comes
with the request (compiled, base64 of marshal), made by a child that had run no program; the call is compiled here, from
a text that is known to be literals and no longer than 16 KiB.
"""
import binascii
import io
import json
import marshal
import os
import select
import signal
import struct
import time

import analysis
from zygote import ORDER, PID, STATUS

HEADER = struct.Struct("<I")
FRAME_OVERHEAD = 64
# Bytes that a pipe holds at most (pipe(7)), and that are read at once.
PIPE = 1 << 16
# A request's file is emptied after one of this size: its pages count against the sandbox.
LARGE = 1 << 20
# A single result is not waited for by itself for so long: most children have ended by then, and one waking does for both.
PATIENCE_MS = 3
REQUESTS = io.open(0, "rb", buffering=1 << 16, closefd=False)


def read_message():
    header = REQUESTS.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    size = HEADER.unpack(header)[0]
    body = REQUESTS.read(size)
    return None if len(body) < size else json.loads(body)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def write_message(message):
    body = json.dumps(message).encode("ascii")
    write_all(1, HEADER.pack(len(body)) + body)


def advance(data, counted, parsed):
    """Counts the whole frames that have come: (frames, bytes they take, whether there are new ones)."""
    before = counted
    while len(data) - parsed >= 4:
        length = HEADER.unpack_from(data, parsed)[0]
        if length > len(data) - parsed - 4:
            break
        parsed += 4 + length
        counted += 1
    return counted, parsed, counted > before


def split_frames(data):
    """Whole frames and whether stray bytes are left."""
    frames, at, size = [], 0, len(data)
    while size - at >= 4:
        length = HEADER.unpack_from(data, at)[0]
        if length > size - at - 4:
            break
        frame = bytes(data[at + 4:at + 4 + length])
        try:
            frames.append(frame.decode("ascii"))
        except UnicodeDecodeError:
            return frames, True
        at += 4 + length
    return frames, at != size


def call_of(text):
    """The call f(text), marshalled; the text itself where that is not possible, for the child to compile."""
    return analysis.marshalled("f(" + text + "\n)", "<call>", "eval") or text


def program_of(entry):
    compiled = entry.get("compiled")
    code = binascii.a2b_base64(compiled) if compiled else entry["code"]
    return code, [call_of(text) for text in entry["inputs"]]


class Template:
    """A zygote as the supervisor sees it: where orders go, and what it answers."""

    def __init__(self, orders, answers):
        self.orders, self.answers = orders, answers

    def read(self, size):
        answer = os.read(self.answers, size)
        if len(answer) != size:
            raise SystemExit("the zygote ended")
        return answer


class Desk:
    """What the jobs of a sandbox use in turn: the request's file and the pipe for results, read without waiting."""

    def __init__(self, request, result):
        self.request, self.result = request, result
        os.set_blocking(result, False)

    def put(self, request):
        """The request behind a pid of 0: its child is not there yet."""
        data = bytes(PID.size) + request
        at = os.pwrite(self.request, data, 0)
        while at < len(data):
            at += os.pwrite(self.request, memoryview(data)[at:], at)

    def pid(self):
        """Of the child that the last order made; 0 before it is there."""
        return PID.unpack(os.pread(self.request, PID.size, 0))[0]

    def clear(self, size):
        if size > LARGE:
            os.ftruncate(self.request, 0)

    def take(self):
        """What the pipe holds, all of it: no more than is read at once."""
        try:
            return os.read(self.result, PIPE)
        except BlockingIOError:
            return b""


def waiter(*fds):
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return poller


def execute(job, template, desk):
    programs = [program_of(entry) for entry in job["programs"]]
    mode, cpu_ms, result_bytes = job["mode"], job["cpuMs"], job["resultBytes"]
    expected = len(programs) if mode != "run" else sum(len(inputs) for _, inputs in programs)
    stepwise = mode == "run" and len(programs) == 1
    cap = expected * (result_bytes + FRAME_OVERHEAD)
    request = marshal.dumps((mode, result_bytes, programs, stepwise))
    desk.put(request)
    seconds = (cpu_ms * (expected if stepwise else 1)) // 1000 + 2
    write_all(template.orders, ORDER.pack(seconds, job["memoryMiB"], len(request)))
    limit = cpu_ms / 1000
    used_before = 0.0
    deadline = time.monotonic() + limit * 4 + 2
    data = bytearray()
    counted = parsed = 0
    killed = broken = False
    status = None
    patient = expected == 1 and waiter(template.answers).poll(min(PATIENCE_MS, cpu_ms))
    if patient:
        status = template.read(STATUS.size)
    else:
        poller = waiter(template.answers, desk.result)
    wait = 0.0
    while status is None:
        for fd, _ in poller.poll(int(wait * 1000) + 1):
            if fd != desk.result:
                status = template.read(STATUS.size)
                continue
            part = desk.take()
            broken = broken or len(data) + len(part) > cap
            if broken:
                continue
            data += part
            if stepwise:
                counted, parsed, more = advance(data, counted, parsed)
                # Only whole frames, and no more of them than inputs, start the limit anew.
                if more and counted <= expected:
                    used_before = cpu_time(desk.pid())
                    deadline = time.monotonic() + limit * 4 + 2
        if status is None and not killed:
            pid = desk.pid()
            left = min(limit - cpu_time(pid) + used_before, deadline - time.monotonic())
            if pid and (broken or left <= 0):
                os.kill(pid, signal.SIGKILL)
                killed = True
            wait = max(0.002, left)
    # The child is gone and was the only writer: what is left in the pipe is read without waiting.
    part = desk.take()
    broken = broken or len(data) + len(part) > cap
    if not broken:
        data += part
    desk.clear(len(request))
    code, cpu, rss = STATUS.unpack(status)
    frames, stray = split_frames(data)
    if (killed and not broken) or (os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGXCPU):
        end, number = "timeout", 0
    elif os.WIFSIGNALED(code):
        end, number = "signal", os.WTERMSIG(code)
    else:
        end, number = "exit", os.WEXITSTATUS(code)
    return {"n": job["n"], "frames": frames, "broken": broken or stray, "end": end, "code": number, "cpu": cpu, "rss": rss}


def cpu_time(pid):
    """Seconds that a process has used, from its own clock; 0 where it is gone or not there yet."""
    try:
        return time.clock_gettime((~pid << 3) | 2) if pid else 0.0
    except OSError:
        return 0.0


def work(runs, parses, desk):
    """Answers requests until there are none. @param runs, parses  the templates of children that run, or parse."""
    while (job := read_message()) is not None:
        write_message(execute(job, runs if job["mode"] == "run" else parses, desk))
