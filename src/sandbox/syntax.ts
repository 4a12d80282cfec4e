/** Syntax trees and rewritten programs, made by Python's own `ast` in a child that has run no program (harness/syntax.py). */
import { readSyntaxNode } from '../reward/intrinsic/syntax-tree.js';
import { chunks } from './analysis.js';
import type { Job, Reply } from './isolated.js';
import { MAX_CODE_BYTES } from './limits.js';
import { isClean } from './outcome.js';
import type { ParseResult, RewriteResult } from './port.js';

const JOB = { cpuMs: 20_000, memoryMiB: 1024, resultBytes: 16 << 20 } as const;

interface Refusal {
  readonly ok: false;
  readonly error: string;
}
type Submit = (job: Job) => Promise<Reply>;
type Mode = 'tree' | 'texts';

export class Parser {
  private readonly submit: Submit;

  constructor(submit: Submit) {
    this.submit = submit;
  }

  /** Syntax trees in the order of `codes`. A program that does not parse, or is over 64 KiB, gives its error. */
  trees(codes: readonly string[]): Promise<readonly ParseResult[]> {
    return this.each(codes, 'tree', (value) => ({ ok: true, tree: readSyntaxNode(value) }));
  }

  /** Rewritten programs in the order of `codes`; errors as for trees. */
  rewrite(codes: readonly string[]): Promise<readonly RewriteResult[]> {
    return this.each(codes, 'texts', (value) => {
      const { noComments, defsOnly, imports } = value as Record<string, unknown>;
      return {
        ok: true,
        noComments: noComments as string,
        defsOnly: defsOnly as string,
        imports: imports as string[],
      };
    });
  }

  private async each<T>(
    codes: readonly string[],
    mode: Mode,
    read: (value: unknown) => T,
  ): Promise<readonly (T | Refusal)[]> {
    const found = new Map<string, T | Refusal>();
    const asked: [string, string][] = [];
    for (const code of new Set(codes)) {
      const why = unfit(code);
      if (why === undefined) asked.push([code, code]);
      else found.set(code, { ok: false, error: why });
    }
    await Promise.all(
      chunks(asked).map(async (chunk) => {
        const programs = chunk.map(([, code]) => code);
        const results = await this.chunk(programs, mode, read);
        programs.forEach((code, i) => found.set(code, results[i] as T | Refusal));
      }),
    );
    return codes.map((code) => found.get(code) as T | Refusal);
  }

  private async chunk<T>(
    codes: readonly string[],
    mode: Mode,
    read: (value: unknown) => T,
  ): Promise<readonly (T | Refusal)[]> {
    const reply = await this.submit({ ...JOB, mode, programs: codes.map((code) => ({ code, inputs: [] })) });
    if (isClean(reply, codes.length))
      return reply.frames.map((frame) => {
        const value: unknown = JSON.parse(frame);
        const { error } = value as { error?: unknown };
        return typeof error === 'string' ? { ok: false, error } : read(value);
      });
    // One program that overwhelms the parser must not cost the others their answer.
    if (codes.length > 1)
      return (await Promise.all(codes.map((code) => this.chunk([code], mode, read)))).flat();
    return [{ ok: false, error: `the parser did not end as it should (${reply.end} ${reply.code})` }];
  }
}

/** Why a text is not sent to the parser at all. */
function unfit(code: string): string | undefined {
  const bytes = Buffer.byteLength(code, 'utf8');
  if (bytes > MAX_CODE_BYTES) return `the program has ${bytes} bytes; accepted are up to ${MAX_CODE_BYTES}`;
  if (/\p{Surrogate}/u.test(code)) return 'the program holds half a surrogate pair, which is no text';
  return undefined;
}
