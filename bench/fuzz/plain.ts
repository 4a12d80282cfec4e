/** Plain CPython in a throw-away namespace: the second opinion on programs that mean no harm. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sandboxCommand, type Environment } from '../../src/sandbox/environment.js';

const SCRIPT = readFileSync(fileURLToPath(new URL('./plain.py', import.meta.url)), 'utf8');

/** What came of one input: a value's text, an exception's class, or neither. */
export type PlainAnswer =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'raised'; readonly error: string }
  | { readonly kind: 'unknown' };

/** Evaluates programs one by one. `seed` is that of the sandbox whose hash order is to be met. */
export function evaluatePlainly(
  environment: Environment,
  programs: readonly { readonly code: string; readonly inputs: readonly string[] }[],
  seed = 0,
): Promise<readonly (readonly PlainAnswer[])[]> {
  const [command, args] = sandboxCommand(environment, { seed, script: ['-c', SCRIPT] });
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0) reject(new Error(`plain Python ended with ${code}`));
      else
        resolve(
          (JSON.parse(Buffer.concat(parts).toString('utf8')) as string[][]).map((texts) =>
            texts.map(answerOf),
          ),
        );
    });
    child.stdin.end(JSON.stringify(programs.map(({ code, inputs }) => [code, inputs])));
  });
}

function answerOf(text: string): PlainAnswer {
  if (text.startsWith('V')) return { kind: 'value', text: text.slice(1) };
  return text.startsWith('R') ? { kind: 'raised', error: text.slice(1) } : { kind: 'unknown' };
}
