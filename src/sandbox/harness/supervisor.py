"""Supervisor: the first of the two Python processes of a sandbox.

Reads requests from stdin (u32 little-endian length, JSON), has the zygote fork one child per request, feeds the child,
reads what it computed under a byte cap, enforces the CPU limit from outside and answers on stdout (same framing).
No program is ever executed here. Answers hold kernel facts only; their meaning is decided outside.

Request  {"n", "mode": "run"|"analyse"|"tree"|"texts", "programs": [{"code", "compiled"?, "inputs": [text]}], "cpuMs",
          "memoryMiB", "resultBytes"}
Answer   {"n", "frames": [text], "broken": bool, "end": "exit"|"signal"|"timeout", "code", "cpu": us, "rss": KiB}

CPU time of the child is read from its own clock, clock id (~pid << 3) | 2 (linux/posix-timers.h, CPUCLOCK_SCHED), so a
busy machine does not turn into timeouts. In mode run with one program each result frame starts the limit anew.

Children get code objects where they can: the parser's memory is what a forked child pays most for. A program's comes
with the request (compiled, base64 of marshal), made by a child that had run no program; the call is compiled here, from
a text that is known to be literals and no longer than 16 KiB.
"""
import binascii
import os
import signal
import socket
import struct
import sys
import time
import json
import marshal
import select

import analysis
import zygote

HEADER = struct.Struct("<I")
ORDER = struct.Struct("<II")
STATUS = struct.Struct("<iQQ")
FRAME_OVERHEAD = 64


def read_exactly(fd, size):
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_message():
    header = read_exactly(0, 4)
    if header is None:
        return None
    body = read_exactly(0, HEADER.unpack(header)[0])
    return None if body is None else json.loads(body)


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


def execute(job, control):
    programs = [program_of(entry) for entry in job["programs"]]
    mode, cpu_ms, result_bytes = job["mode"], job["cpuMs"], job["resultBytes"]
    expected = len(programs) if mode != "run" else sum(len(inputs) for _, inputs in programs)
    stepwise = mode == "run" and len(programs) == 1
    cap = expected * (result_bytes + FRAME_OVERHEAD)
    request_read, request_write = os.pipe()
    result_read, result_write = os.pipe()
    try:
        seconds = (cpu_ms * (expected if stepwise else 1)) // 1000 + 2
        socket.send_fds(control, [ORDER.pack(seconds, job["memoryMiB"])], [request_read, result_write])
    finally:
        os.close(request_read)
        os.close(result_write)
    pid = HEADER.unpack(control.recv(4))[0]
    clock = (~pid << 3) | 2
    try:
        write_all(request_write, marshal.dumps((mode, result_bytes, programs, stepwise)))
    except BrokenPipeError:
        pass
    os.close(request_write)

    limit = cpu_ms / 1000
    used_before = 0.0
    deadline = time.monotonic() + limit * 4 + 2
    data = bytearray()
    counted = parsed = 0
    poller = select.poll()
    poller.register(result_read, select.POLLIN)
    poller.register(control, select.POLLIN)
    wait = limit
    killed = broken = False
    status = None
    while status is None:
        ready = poller.poll(max(1, int(wait * 1000) + 1))
        for fd, _ in ready:
            if fd != result_read:
                status = control.recv(STATUS.size)
                continue
            part = os.read(result_read, 1 << 18)
            data += part
            if not part or len(data) > cap:
                poller.unregister(result_read)
                broken = len(data) > cap
            if stepwise:
                counted, parsed, more = advance(data, counted, parsed)
                # Only whole frames, and no more of them than inputs, start the limit anew.
                if more and counted <= expected:
                    used_before = cpu_clock(clock)
                    deadline = time.monotonic() + limit * 4 + 2
        if status is None and not killed:
            used = cpu_clock(clock) - used_before
            left = min(limit - used, deadline - time.monotonic())
            if broken or left <= 0:
                os.kill(pid, signal.SIGKILL)
                killed = True
            wait = max(0.002, left)
    # The child is gone and was the only writer: what is left in the pipe is read without waiting.
    os.set_blocking(result_read, False)
    while not broken:
        try:
            part = os.read(result_read, 1 << 18)
        except BlockingIOError:
            break
        if not part:
            break
        broken = len(data) + len(part) > cap
        data += part
    os.close(result_read)
    if len(status) != STATUS.size:
        raise SystemExit("the zygote ended")
    code, cpu, rss = STATUS.unpack(status)
    frames, stray = split_frames(data)
    if (killed and not broken) or (os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGXCPU):
        end, number = "timeout", 0
    elif os.WIFSIGNALED(code):
        end, number = "signal", os.WTERMSIG(code)
    else:
        end, number = "exit", os.WEXITSTATUS(code)
    return {"n": job["n"], "frames": frames, "broken": broken or stray, "end": end, "code": number, "cpu": cpu, "rss": rss}


def cpu_clock(clock):
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def main():
    hello = read_message()
    if hello is None:
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    if os.fork() == 0:
        ours.close()
        zygote.serve(theirs, bytes.fromhex(hello["filter"]))
        os._exit(0)
    theirs.close()
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    write_message({
        "version": "%d.%d.%d" % sys.version_info[:3],
        "platform": "%s-%s" % (sys.platform, os.uname().machine),
        "libc": libc,
    })
    while True:
        job = read_message()
        if job is None:
            return
        write_message(execute(job, ours))


if __name__ == "__main__":
    main()
