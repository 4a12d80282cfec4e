"""Zygote: the pristine fork server, the second of the two Python processes of a sandbox.

It sees descriptors and two numbers per order, never a program, an input or a result; so a child, which is its copy,
finds nothing of other programs in memory. Orders: u32 CPU seconds (a backstop), u32 memory MiB, and two descriptors.
It answers the child's pid at once and its wait status, CPU microseconds and peak resident KiB when it has ended.
"""
import ctypes
import gc
import mmap
import os
import resource
import signal
import socket
import struct

# Preloaded, so that children share their pages. Modules with at-fork hooks (random, threading) would triple the
# price of a fork and are left to the children that want them.
import abc, ast, bisect, collections, copy, dataclasses, enum, functools, heapq, itertools, marshal  # noqa: E401,F401
import math, operator, re, string, types, typing  # noqa: E401,F401

import analysis  # noqa: F401
import child

ORDER = struct.Struct("<II")
STATUS = struct.Struct("<iQQ")
PID = struct.Struct("<I")

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
# What the harness itself and the heap's rounding may take of a child's address space.
SLACK = 32 << 20


class Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)"""
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def serve(control, filter_bytes):
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(filter_bytes, len(filter_bytes))
    program = Program(len(filter_bytes) // 8, ctypes.addressof(buffer))
    prctl = libc.prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    gc.collect()
    gc.freeze()
    own = address_space()
    while True:
        message, fds, _, _ = socket.recv_fds(control, ORDER.size, 2)
        if len(message) != ORDER.size:
            return
        pid = os.fork()
        if pid == 0:
            try:
                become_child(fds, ORDER.unpack(message), prctl, program, own)
            finally:
                os._exit(97)
        control.send(PID.pack(pid))
        for fd in fds:
            os.close(fd)
        _, status, usage = os.wait4(pid, 0)
        cpu = int((usage.ru_utime + usage.ru_stime) * 1_000_000)
        control.send(STATUS.pack(status, cpu, usage.ru_maxrss))


def address_space():
    """Bytes of address space in use, by trying limits (there is no /proc): the least that lets one more page be mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 40 if soft == resource.RLIM_INFINITY else soft
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, 1 << 12).close()
            high = middle
        except (OSError, MemoryError):
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


def become_child(fds, order, prctl, program, own):
    request, result = fds
    parts = []
    while True:
        part = os.read(request, 1 << 20)
        if not part:
            break
        parts.append(part)
    os.dup2(result, 3)
    os.closerange(4, 64)
    seconds, memory = order
    for name, soft, hard in (
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_AS, memory << 20, memory << 20),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 16, 16),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_STACK, 32 << 20, 32 << 20),
    ):
        resource.setrlimit(name, (soft, hard))
    if prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        os._exit(98)
    if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        os._exit(98)
    limit = memory << 20
    child.main(b"".join(parts), limit - own - min(limit // 8, SLACK))
