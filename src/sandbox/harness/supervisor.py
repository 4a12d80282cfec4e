"""Supervisor: the first Python process of a sandbox. It starts the templates, and then does jobs (jobs.py).

On stdin come two seccomp filters, each behind a u32 little-endian length, then requests; on stdout goes a greeting, then
answers. The template of programs is forked before anything is loaded that it does not need: each page more makes every
fork dearer. That of children which only parse has the parsers; it is forked before the first request is read, too.
"""
import os
import struct
import sys

HEADER = struct.Struct("<I")


def read_exactly(size):
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            raise SystemExit
        data += part
    return data


def start_template(filters, request, result):
    """Forks a template. @returns the descriptors for its orders and from its answers."""
    orders_read, orders_write = os.pipe()
    answers_read, answers_write = os.pipe()
    if os.fork() == 0:
        try:
            import zygote
            zygote.serve(orders_read, answers_write, request, result, filters)
        finally:
            os._exit(0)
    os.close(orders_read)
    os.close(answers_write)
    return orders_write, answers_read


def main():
    filters = [read_exactly(HEADER.unpack(read_exactly(HEADER.size))[0]) for _ in range(2)]
    request = os.memfd_create("request")
    result_read, result_write = os.pipe()
    runs = start_template(filters, request, result_write)

    import syntax  # noqa: F401
    import jobs
    parses = start_template(filters, request, result_write)
    os.close(result_write)
    jobs.write_message({
        "version": "%d.%d.%d" % sys.version_info[:3],
        "platform": "%s-%s" % (sys.platform, os.uname().machine),
        "libc": os.confstr("CS_GNU_LIBC_VERSION") or "unknown",
    })
    jobs.work(jobs.Template(*runs), jobs.Template(*parses), jobs.Desk(request, result_read))


if __name__ == "__main__":
    main()
