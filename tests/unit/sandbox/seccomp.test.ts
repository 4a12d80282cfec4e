import { describe, expect, it } from 'vitest';
import { assembleFilters } from '../../../src/sandbox/seccomp.js';

const X86_64 = 0xc000003e;
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const KILL = 0x80000000;

const FILTERS = assembleFilters();

/** What holds in a child: of both filters' answers the stricter, as the kernel orders them. */
function run(number: number, args: readonly number[] = [], architecture = X86_64): number {
  const order = [KILL, EPERM, ALLOW];
  const answers = [FILTERS.template, FILTERS.child].map((filter) =>
    runOne(filter, number, args, architecture),
  );
  for (const answer of answers) expect(order).toContain(answer);
  return order.find((answer) => answers.includes(answer)) ?? KILL;
}

/** The kernel's interpreter for the instructions used, over struct seccomp_data. */
function runOne(filter: Buffer, number: number, args: readonly number[], architecture: number): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(architecture, 4);
  args.forEach((argument, i) => data.writeUInt32LE(argument >>> 0, 16 + 8 * i));
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const code = filter.readUInt16LE(at * 8);
    const jumps = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)] as const;
    const value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x06) return value;
    else {
      const holds =
        code === 0x15
          ? accumulator === value
          : code === 0x35
            ? accumulator >= value
            : (accumulator & value) !== 0;
      at += holds ? jumps[0] : jumps[1];
    }
  }
  throw new Error('the filter runs off its end');
}

describe('the seccomp filter', () => {
  it('fits the kernel: whole instructions, at most 4096, ending in a return', () => {
    for (const filter of [FILTERS.template, FILTERS.child]) {
      expect(filter.length % 8).toBe(0);
      expect(filter.length / 8).toBeLessThanOrEqual(4096);
      expect(filter.readUInt16LE(filter.length - 8)).toBe(0x06);
    }
  });

  it('allows what a computation needs', () => {
    for (const number of [0, 1, 3, 9, 10, 11, 12, 13, 202, 228, 231, 318])
      expect([number, run(number)]).toEqual([number, ALLOW]);
  });

  it('refuses processes, signals, sockets, waiting, tracing, mounting and the unknown', () => {
    const refused = { fork: 57, vfork: 58, clone: 56, clone3: 435, execve: 59, execveat: 322, kill: 62, tkill: 200, tgkill: 234, socket: 41, socketpair: 53, connect: 42, bind: 49, ptrace: 101, process_vm_readv: 310, pidfd_open: 434, pidfd_getfd: 438, prctl: 157, seccomp: 317, prlimit64: 302, setrlimit: 160, nanosleep: 35, clock_nanosleep: 230, poll: 7, select: 23, epoll_wait: 232, pipe: 22, pipe2: 293, getpid: 39, unlink: 87, mkdir: 83, symlink: 88, rename: 82, chmod: 90, mount: 165, unshare: 272, setns: 308, bpf: 321, io_uring_setup: 425, keyctl: 250, userfaultfd: 323, perf_event_open: 298, memfd_create: 319, openat2: 437, pwrite64: 18, wait4: 61, close_range: 436, creat: 85, dup2: 33, sendmsg: 46, setuid: 105, personality: 135, arch_prctl: 158, future: 4000 }; // prettier-ignore
    for (const [name, number] of Object.entries(refused)) expect([name, run(number)]).toEqual([name, EPERM]);
  });

  it('lets the template fork, wait and shut its children in, and nothing else beside what they may', () => {
    const differ = Array.from({ length: 600 }, (_, number) => number).filter(
      (number) => runOne(FILTERS.template, number, [], X86_64) !== run(number),
    );
    // pwrite64, clone, wait4, prctl, prlimit64, close_range
    expect(differ).toEqual([18, 56, 61, 157, 302, 436]);
  });

  it('opens for reading only', () => {
    expect(run(257, [0, 0, 0o2000000])).toBe(ALLOW);
    expect(run(2, [0, 0])).toBe(ALLOW);
    for (const flag of [0o1, 0o2, 0o100, 0o1000, 0o2000, 0o20000, 0o20200000]) {
      expect(run(257, [0, 0, flag])).toBe(EPERM);
      expect(run(2, [0, flag])).toBe(EPERM);
    }
  });

  it('lets fcntl and ioctl neither own, signal nor change status flags', () => {
    for (const command of [0, 1, 2, 3, 1030]) expect(run(72, [3, command])).toBe(ALLOW);
    for (const command of [4, 6, 8, 10, 15, 1024, 1031]) expect(run(72, [3, command])).toBe(EPERM);
    expect(run(16, [1, 0x5401])).toBe(ALLOW);
    for (const command of [0x5412, 0x5421, 0x5452, 0x8901]) expect(run(16, [1, command])).toBe(EPERM);
  });

  it('refuses x32 numbers and kills other architectures', () => {
    expect(run(0x40000000)).toBe(EPERM);
    expect(run(0, [], 0x40000003)).toBe(KILL);
  });
});
