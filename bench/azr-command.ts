/** The project's own command in a stack of its own. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** @returns what it printed. @throws Error with what it printed where it fails. */
export type Azr = (args: readonly string[]) => Promise<string>;

export function commandIn(dataDir: string): Azr {
  const program = path.resolve('bin', 'azr.mjs');
  return async (args) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
      env: { ...process.env, AZR_DATA_DIR: dataDir },
      maxBuffer: 2 ** 28,
    }).catch((error: unknown) => {
      const { stderr, stdout: out } = error as { stderr?: string; stdout?: string };
      throw new Error(`azr ${args.join(' ')} failed:\n${out ?? ''}\n${stderr ?? String(error)}`);
    });
    return stdout;
  };
}
