/**
 * A seccomp filter as classic BPF, assembled here (linux/filter.h, linux/seccomp.h): no libseccomp is needed.
 *
 * Listed system calls are allowed, all others fail with EPERM, which Python shows as an ordinary PermissionError. Opening
 * is read-only; ioctl and fcntl are limited to a few commands, so that no descriptor can be made to send signals.
 *
 * There are two filters, of which the kernel takes the stricter answer. The template installs the long one once and its
 * children inherit it: all that a program may, and the few calls with which a template forks and a child shuts itself in.
 * The child's own takes those few away before anything of a program is there. Installing costs by what is left to decide:
 * the long one took each child 90 us.
 */
/** x86-64 system call numbers (asm/unistd_64.h) a child may use. */
const ALLOWED: Readonly<Record<string, number>> = {
  read: 0,
  write: 1,
  close: 3,
  stat: 4,
  fstat: 5,
  lstat: 6,
  lseek: 8,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  pread64: 17,
  readv: 19,
  writev: 20,
  access: 21,
  sched_yield: 24,
  mremap: 25,
  madvise: 28,
  dup: 32,
  exit: 60,
  uname: 63,
  getcwd: 79,
  readlink: 89,
  gettimeofday: 96,
  getrlimit: 97,
  getrusage: 98,
  sysinfo: 99,
  times: 100,
  getuid: 102,
  getgid: 104,
  geteuid: 107,
  getegid: 108,
  sigaltstack: 131,
  gettid: 186,
  time: 201,
  futex: 202,
  sched_getaffinity: 204,
  getdents64: 217,
  clock_gettime: 228,
  clock_getres: 229,
  exit_group: 231,
  newfstatat: 262,
  set_robust_list: 273,
  getrandom: 318,
  statx: 332,
  rseq: 334,
};
/** What a template and a child's first steps need beside these. */
const TEMPLATE_ONLY: Readonly<Record<string, number>> = {
  pwrite64: 18,
  clone: 56,
  wait4: 61,
  prctl: 157,
  prlimit64: 302,
  close_range: 436,
};
const OPEN = 2;
const OPENAT = 257;
const IOCTL = 16;
const FCNTL = 72;
/** FIONCLEX, FIOCLEX, TCGETS (isatty) */
const IOCTL_COMMANDS = [0x5450, 0x5451, 0x5401];
/** F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; not F_SETOWN, F_SETSIG, F_SETFL */
const FCNTL_COMMANDS = [0, 1, 2, 3, 1030];
/** O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_ASYNC | __O_TMPFILE */
const WRITE_FLAGS = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000 | 0o20000000;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER_EQUAL = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_SET = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const RETURN_ALLOW = 0x7fff0000;
const RETURN_KILL = 0x80000000;
const RETURN_EPERM = 0x00050001; // SECCOMP_RET_ERRNO | EPERM
const AUDIT_ARCH_X86_64 = 0xc000003e;
const X32_BIT = 0x40000000;
/** struct seccomp_data: nr at 0, arch at 4, args from 16, eight bytes each, low word first. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (i: number): number => 16 + 8 * i;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, value: number];

const allow: Instruction = [RETURN, 0, 0, RETURN_ALLOW];
const refuse: Instruction = [RETURN, 0, 0, RETURN_EPERM];

function templateProgram(): readonly Instruction[] {
  const out: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH_X86_64],
    [RETURN, 0, 0, RETURN_KILL],
    [LOAD, 0, 0, NUMBER],
    [JUMP_GREATER_EQUAL, 0, 1, X32_BIT],
    refuse,
  ];
  const readOnly = (number: number, flags: number): void => {
    out.push(
      [JUMP_EQUAL, 0, 4, number],
      [LOAD, 0, 0, argument(flags)],
      [JUMP_SET, 0, 1, WRITE_FLAGS],
      refuse,
      allow,
    );
  };
  const commands = (number: number, accepted: readonly number[]): void => {
    const body: Instruction[] = [[LOAD, 0, 0, argument(1)]];
    for (const command of accepted) body.push([JUMP_EQUAL, 0, 1, command], allow);
    body.push(refuse);
    out.push([JUMP_EQUAL, 0, body.length, number], ...body);
  };
  readOnly(OPEN, 1);
  readOnly(OPENAT, 2);
  commands(IOCTL, IOCTL_COMMANDS);
  commands(FCNTL, FCNTL_COMMANDS);
  out.push(...search(segments({ ...ALLOWED, ...TEMPLATE_ONLY })));
  return out;
}

/** A run of system call numbers, from its first on, that are all allowed or all refused. */
interface Segment {
  readonly from: number;
  readonly allowed: boolean;
}

function segments(calls: Readonly<Record<string, number>>): readonly Segment[] {
  const out: Segment[] = [{ from: 0, allowed: false }];
  for (const number of Object.values(calls).sort((a, b) => a - b)) {
    if (out.at(-1)?.from === number) out.pop();
    if (out.at(-1)?.allowed !== true) out.push({ from: number, allowed: true });
    out.push({ from: number + 1, allowed: false });
  }
  return out;
}

/** Binary search: the kernel tries a filter on every number when it is installed, so a list would cost each child. */
function search(among: readonly Segment[]): readonly Instruction[] {
  if (among.length === 1) return [among[0]?.allowed === true ? allow : refuse];
  const [below, above] = [among.slice(0, among.length >> 1), among.slice(among.length >> 1)];
  const left = search(below);
  return [[JUMP_GREATER_EQUAL, left.length, 0, above[0]?.from ?? 0], ...left, ...search(above)];
}

/** Refuses what only the template needs; the architecture is seen to by the template's filter. */
function childProgram(): readonly Instruction[] {
  const numbers = Object.values(TEMPLATE_ONLY);
  return [
    [LOAD, 0, 0, NUMBER],
    ...numbers.map((number, i): Instruction => [JUMP_EQUAL, numbers.length - i, 0, number]),
    allow,
    refuse,
  ];
}

/** An array of struct sock_filter {u16 code; u8 jt; u8 jf; u32 k}, little-endian. */
function assemble(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, jumpTrue, jumpFalse, value], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jumpTrue, i * 8 + 2);
    bytes.writeUInt8(jumpFalse, i * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, i * 8 + 4);
  });
  return bytes;
}

/** Both filters: the one that a template installs and its children inherit, and the one that each child adds. */
export function assembleFilters(): { readonly template: Buffer; readonly child: Buffer } {
  return { template: assemble(templateProgram()), child: assemble(childProgram()) };
}
