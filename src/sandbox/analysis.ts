/** Static facts about programs, found by Python's own `ast` in a child that has run no program; remembered by text. */
import { createHash } from 'node:crypto';
import type { Job, Reply } from './isolated.js';
import { isClean } from './outcome.js';
import type { Analysis } from './port.js';

const PROGRAMS_A_CHILD = 64;
const BYTES_A_CHILD = 256 * 1024;
const REMEMBERED = 50_000;
const JOB = { mode: 'analyse', cpuMs: 10_000, memoryMiB: 1024, resultBytes: 1 << 20 } as const;

type Submit = (job: Job) => Promise<Reply>;

export class Analyser {
  private readonly submit: Submit;
  private readonly known = new Map<string, Analysis>();

  constructor(submit: Submit) {
    this.submit = submit;
  }

  /** Analyses by program text, in the order of `codes`. */
  async analyse(codes: readonly string[]): Promise<readonly Analysis[]> {
    const keys = codes.map((code) => createHash('sha256').update(code, 'utf16le').digest('base64'));
    const found = new Map<string, Analysis>();
    const missing = new Map<string, string>();
    keys.forEach((key, i) => {
      const analysis = this.known.get(key);
      if (analysis !== undefined) found.set(key, analysis);
      else missing.set(key, codes[i] ?? '');
    });
    await Promise.all(
      chunks([...missing]).map(async (chunk) => {
        const analyses = await this.chunk(chunk.map(([, code]) => code));
        chunk.forEach(([key], i) => {
          const analysis = analyses[i] as Analysis;
          found.set(key, analysis);
          if (this.known.size >= REMEMBERED) this.known.delete(this.known.keys().next().value ?? '');
          this.known.set(key, analysis);
        });
      }),
    );
    return keys.map((key) => found.get(key) as Analysis);
  }

  private async chunk(codes: readonly string[]): Promise<readonly Analysis[]> {
    const reply = await this.submit({ ...JOB, programs: codes.map((code) => ({ code, inputs: [] })) });
    if (isClean(reply, codes.length)) return reply.frames.map(read);
    if (codes.length > 1) return (await Promise.all(codes.map((code) => this.chunk([code])))).flat();
    return [{ ...UNKNOWN, error: `the parser did not end as it should (${reply.end} ${reply.code})` }];
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

function read(frame: string): Analysis {
  return { ...UNKNOWN, ...(JSON.parse(frame) as Partial<Analysis>) };
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
