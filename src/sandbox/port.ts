/**
 * The sandbox port: hostile Python programs in, honest outcomes out.
 *
 * A program never sees an expected value and never gives a verdict. What it computed comes back as the text of
 * a Python literal; trusted code outside (values.ts) parses and compares it.
 */
import type { SyntaxNode } from '../reward/intrinsic/syntax-tree.js';

export interface Limits {
  /** CPU milliseconds one program may use for one input, read from the child's own CPU clock. */
  readonly cpuMs: number;
  /** Address space in MiB. */
  readonly memoryMiB: number;
  /** Largest literal text of a result, in bytes. */
  readonly resultBytes: number;
}

/** `strict`: a fork per program, input and seed; `batched`: the inputs of one program share a fork; `pure`: statically pure programs share a fork. */
export type ExecutionClass = 'strict' | 'batched' | 'pure';

export interface ExecutionRequest {
  /** Coordinates-derived id, echoed in the result. */
  readonly id: string;
  /** Program text that defines `f`. */
  readonly code: string;
  /** Argument texts, each what stands between the brackets of `f(...)`: literals only. */
  readonly inputs: readonly string[];
  /** How many sandboxes of different hash seed, host name, environment and time must agree: 1 skips the check. Default 1. */
  readonly seeds?: 1 | 2 | 3;
  /** Default: the fastest class that a static check allows. */
  readonly class?: ExecutionClass;
  readonly limits?: Partial<Limits>;
}

export type Outcome =
  | { readonly kind: 'value'; /** ascii literal text */ readonly text: string }
  | { readonly kind: 'raised'; /** exception class */ readonly error: string; readonly message: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'killed'; readonly signal: number }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'not-literal'; /** Python type */ readonly type: string }
  | { readonly kind: 'nan' }
  | { readonly kind: 'nondeterministic' }
  | { readonly kind: 'no-result' }
  | { readonly kind: 'refused'; /** static refusal, before any run */ readonly reason: string };

export interface ExecutionResult {
  readonly id: string;
  /** One outcome an input, in order. */
  readonly outcomes: readonly Outcome[];
  /** True when every seed gave the same outcomes; with one seed it says nothing and is true. */
  readonly deterministic: boolean;
  /** CPU microseconds of all children together. */
  readonly cpuMicros: number;
  readonly maxRssKiB: number;
}

/** What ran the programs: recorded in every run's header and in ProgramExecuted. */
export interface Interpreter {
  /** e.g. `3.11.2` */
  readonly version: string;
  /** e.g. `linux-x86_64` */
  readonly platform: string;
  /** e.g. `glibc 2.36` */
  readonly libc: string;
  /** `isolated`, or `none` under --unsafe-no-isolation. */
  readonly isolation: 'isolated' | 'none';
}

/** Static facts about a program, found by Python's own `ast` in a process that has run no program. */
export interface Analysis {
  readonly parses: boolean;
  /** What the parser said; empty where it parses. */
  readonly error: string;
  /** Dotted names: `math`, `os.path`; for `from os import path` too. */
  readonly imports: readonly string[];
  /** Members of imported modules that are reached by dots, under the modules' own names: `os.path.join`. */
  readonly uses: readonly string[];
  /** Keywords of Python whose statement or expression occurs: `raise`, `try`, `lambda`. */
  readonly keywords: readonly string[];
  /** Names used that a task may not use: `__import__`, `open`, `input`, `breakpoint`. */
  readonly refused: readonly string[];
  readonly definesF: boolean;
  /** May share a child with other programs. */
  readonly pure: boolean;
  /** Several of its inputs may share a child. */
  readonly stateless: boolean;
  /** Sees an order or identity that hangs on the hash seed: set, frozenset, hash, id, object, repr. */
  readonly ordered: boolean;
  /** Why it is not pure. */
  readonly why: string;
}

export type ParseResult =
  | { readonly ok: true; readonly tree: SyntaxNode }
  | { readonly ok: false; /** What the parser said. */ readonly error: string };

/** A program rewritten from its syntax tree (as Python 3.10 writes source), blank lines dropped. */
export type RewriteResult =
  | {
      readonly ok: true;
      /** Without comments and docstrings. */ readonly noComments: string;
      /** Top-level imports, functions and classes alone. */ readonly defsOnly: string;
      /** Every import statement, outer ones first. */ readonly imports: readonly string[];
    }
  | { readonly ok: false; readonly error: string };

export interface Sandbox {
  readonly interpreter: Interpreter;
  run(request: ExecutionRequest): Promise<ExecutionResult>;
  /** Results in request order; runs as many at once as the pool has workers; backpressure is inside. */
  runMany(requests: readonly ExecutionRequest[]): Promise<readonly ExecutionResult[]>;
  /** Static facts about programs, in order; nothing of them is run. */
  analyse(codes: readonly string[]): Promise<readonly Analysis[]>;
  /** Syntax trees of programs, in order; nothing of them is run. */
  trees(codes: readonly string[]): Promise<readonly ParseResult[]>;
  /** Programs rewritten without what is not code, in order; nothing of them is run. */
  rewrite(codes: readonly string[]): Promise<readonly RewriteResult[]>;
  close(): Promise<void>;
}
