"""Zygote: a pristine fork server, of which every child is a copy.

It sees numbers and descriptors that it does not read, never a program, an input or a result; so a child finds nothing of
other programs in memory. An order: u32 CPU seconds (a backstop), u32 memory MiB, u32 bytes of the request, which lies in
a file of memory behind four bytes for the child's pid. It answers the child's wait status, CPU microseconds and peak
resident KiB when it has ended. Children write to one pipe, each after the one before has ended.

A fork and what follows cost by the pages in use, so what programs seldom import is not loaded here. Modules with
at-fork hooks (random, threading) would triple the price.
"""
import ctypes
import gc
import os
import resource
import signal
import struct

# Preloaded, so that children share their pages.
import _ast, bisect, collections, copy, enum, functools, heapq, itertools, marshal, math, operator, re, string  # noqa: E401,F401
import types, typing  # noqa: E401,F401

import child

ORDER = struct.Struct("<III")
STATUS = struct.Struct("<iQQ")
PID = struct.Struct("<I")
RESULT = 3

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
# What the harness itself and the heap's rounding may take of a child's address space.
SLACK = 32 << 20


class Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)"""
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def serve(orders, answers, request, result, filters):
    """
    @param orders, answers, request, result  descriptors: to read orders, to write answers, the request's file, the pipe
                                             for results
    @param filters  seccomp filters as bytes: the template's own, which children inherit, and what closes a child's
    """
    orders, answers, request = arrange(orders, answers, request, result)
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = libc.prctl
    kept = [ctypes.create_string_buffer(text, len(text)) for text in filters]
    own_filter, last_filter = (Program(len(buffer) // 8, ctypes.addressof(buffer)) for buffer in kept)
    own = address_space(libc)
    for name, most in (
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, 32 << 20),
    ):
        resource.setrlimit(name, (most, most))
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(own_filter), 0, 0):
        os._exit(98)
    last = ctypes.byref(last_filter)
    gc.collect()
    gc.freeze()
    while True:
        order = os.read(orders, ORDER.size)
        if len(order) != ORDER.size:
            return
        pid = os.fork()
        if pid == 0:
            try:
                become_child(request, ORDER.unpack(order), prctl, last, own)
            finally:
                os._exit(97)
        # No message: the supervisor looks only where a child takes long, and would be woken for every one.
        os.pwrite(request, PID.pack(pid), 0)
        _, status, usage = os.wait4(pid, 0)
        cpu = int((usage.ru_utime + usage.ru_stime) * 1_000_000)
        os.write(answers, STATUS.pack(status, cpu, usage.ru_maxrss))


def arrange(orders, answers, request, result):
    """The pipe for results becomes descriptor 3, where children write; the others follow, nothing else is left open."""
    high = [os.dup2(fd, 32 + i) for i, fd in enumerate((result, orders, answers, request))]
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    low = [os.dup2(fd, RESULT + i) for i, fd in enumerate(high)]
    os.closerange(RESULT + len(low), 1 << 16)
    return low[1:]


def address_space(libc):
    """Bytes of address space in use, by trying limits (there is no /proc): the least that lets one more page be mapped."""
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 40 if soft == resource.RLIM_INFINITY else soft
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        page = libc.mmap(None, 1 << 12, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
        if page == ctypes.c_void_p(-1).value:
            low = middle
        else:
            libc.munmap(page, 1 << 12)
            high = middle
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


def become_child(request, order, prctl, last_filter, own):
    seconds, memory, size = order
    message = os.pread(request, size, PID.size)
    while len(message) < size:
        message += os.pread(request, size - len(message), PID.size + len(message))
    os.closerange(RESULT + 1, 64)
    limit = memory << 20
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, last_filter, 0, 0):
        os._exit(98)
    child.main(message, limit - own - min(limit // 8, SLACK))
