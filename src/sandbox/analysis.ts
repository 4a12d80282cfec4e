/** Static facts about programs, found by Python's own `ast` in a child that has run no program; remembered by text. */
import { createHash } from 'node:crypto';
import type { Job, Reply } from './isolated.js';
import { isClean } from './outcome.js';
import type { Analysis } from './port.js';

const PROGRAMS_A_CHILD = 64;
const BYTES_A_CHILD = 256 * 1024;
/** Programs that are remembered, and the characters of their code objects. */
const REMEMBERED = 50_000;
const REMEMBERED_COMPILED = 32 << 20;
const JOB = { mode: 'analyse', cpuMs: 10_000, memoryMiB: 1024, resultBytes: 1 << 20 } as const;

type Submit = (job: Job) => Promise<Reply>;

/** What is known of a program before it runs. */
export interface Prepared {
  readonly analysis: Analysis;
  /** Its code object (isolated.ts); empty where it does not compile. */
  readonly compiled: string;
}

export class Analyser {
  private readonly submit: Submit;
  private readonly known = new Map<string, Prepared>();
  private compiledSize = 0;

  constructor(submit: Submit) {
    this.submit = submit;
  }

  /** Analyses by program text, in the order of `codes`. */
  async analyse(codes: readonly string[]): Promise<readonly Analysis[]> {
    return (await this.prepare(codes)).map(({ analysis }) => analysis);
  }

  /** Analyses and code objects by program text, in the order of `codes`. */
  async prepare(codes: readonly string[]): Promise<readonly Prepared[]> {
    const keys = codes.map((code) => createHash('sha256').update(code, 'utf16le').digest('base64'));
    const found = new Map<string, Prepared>();
    const missing = new Map<string, string>();
    keys.forEach((key, i) => {
      const prepared = this.known.get(key);
      if (prepared !== undefined) found.set(key, prepared);
      else missing.set(key, codes[i] ?? '');
    });
    await Promise.all(
      chunks([...missing]).map(async (chunk) => {
        const fresh = await this.chunk(chunk.map(([, code]) => code));
        chunk.forEach(([key], i) => {
          const prepared = fresh[i] as Prepared;
          found.set(key, prepared);
          this.remember(key, prepared);
        });
      }),
    );
    return keys.map((key) => found.get(key) as Prepared);
  }

  private remember(key: string, prepared: Prepared): void {
    this.compiledSize += prepared.compiled.length - (this.known.get(key)?.compiled.length ?? 0);
    this.known.set(key, prepared);
    for (const [oldest, { compiled }] of this.known) {
      if (this.known.size <= REMEMBERED && this.compiledSize <= REMEMBERED_COMPILED) return;
      this.known.delete(oldest);
      this.compiledSize -= compiled.length;
    }
  }

  private async chunk(codes: readonly string[]): Promise<readonly Prepared[]> {
    const reply = await this.submit({ ...JOB, programs: codes.map((code) => ({ code, inputs: [] })) });
    if (isClean(reply, codes.length)) return reply.frames.map(read);
    if (codes.length > 1) return (await Promise.all(codes.map((code) => this.chunk([code])))).flat();
    const error = `the parser did not end as it should (${reply.end} ${reply.code})`;
    return [{ analysis: { ...UNKNOWN, error }, compiled: '' }];
  }
}

const UNKNOWN: Analysis = {
  parses: false,
  error: '',
  imports: [],
  uses: [],
  keywords: [],
  refused: [],
  definesF: false,
  pure: false,
  stateless: false,
  ordered: true,
  why: 'does not parse',
};

function read(frame: string): Prepared {
  const { compiled = '', ...analysis } = JSON.parse(frame) as Partial<Analysis & Prepared>;
  return { analysis: { ...UNKNOWN, ...analysis }, compiled };
}

/** Programs by key, in groups that one child takes. */
export function chunks(codes: readonly [string, string][]): readonly (readonly [string, string])[][] {
  const out: [string, string][][] = [];
  let bytes = 0;
  for (const entry of codes) {
    const current = out.at(-1);
    bytes += entry[1].length;
    if (current === undefined || current.length >= PROGRAMS_A_CHILD || bytes > BYTES_A_CHILD) {
      out.push([entry]);
      bytes = entry[1].length;
    } else current.push(entry);
  }
  return out;
}
