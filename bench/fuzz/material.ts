/** Attacks to mutate: the corpora of the tests, and a file of `[{code, input}]` where one is given. */
import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../../src/config/errors.js';
import type { JudgeItem } from '../../src/sandbox/judge.js';
import type { Material } from './cases.js';

const CORPORA = `
  export { ATTACKS } from './tests/unit/sandbox/attacks.corpus.js';
  export { CHEATS } from './tests/unit/sandbox/cheats.corpus.js';`;
const rows = z.array(z.object({ code: z.string(), input: z.string() }));

interface Corpora {
  readonly ATTACKS: readonly { readonly code: string; readonly input?: string }[];
  readonly CHEATS: readonly { readonly item: JudgeItem }[];
}

/** Programs and inputs of the two corpora. */
export function materialFrom({ ATTACKS, CHEATS }: Corpora): readonly Material[] {
  return [
    ...ATTACKS.map(({ code, input }) => ({ code, input: input ?? '1' })),
    ...CHEATS.map(({ item: { kind, code, answer } }) =>
      kind === 'induction' ? { code: answer, input: '[2, 1]' } : { code, input: answer },
    ),
  ];
}

/** The corpora of a checkout: tests are not built, so they are compiled here. */
export async function checkoutMaterial(root: string): Promise<readonly Material[]> {
  const { outputFiles } = await build({
    stdin: { contents: CORPORA, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  return materialFrom((await import(`data:text/javascript;base64,${code}`)) as Corpora);
}

/** Attacks of a file. */
export async function materialOf(file: string): Promise<readonly Material[]> {
  try {
    return rows.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new UsageError(
      `--attacks is ${file}: ${(error as Error).message.replace(/\s+/g, ' ').slice(0, 300)}; accepted is a JSON list of {code, input}`,
    );
  }
}
