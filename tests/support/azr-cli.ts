/** The command line against a stack of the test's own, in a folder of its own. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect } from 'vitest';

export const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface AzrCli {
  readonly azr: (args: readonly string[]) => Promise<Outcome>;
  /** The answer as JSON; the test fails where the exit code is not 0. */
  readonly azrJson: <T>(args: readonly string[]) => Promise<T>;
}

/** @param dataDir asked for at each call: a test makes it when it begins. */
export function azrCli(dataDir: () => string): AzrCli {
  const azr = (args: readonly string[]): Promise<Outcome> => {
    const child = spawn(process.execPath, [path.join(ROOT, 'bin/azr.mjs'), ...args], {
      cwd: ROOT,
      env: { ...process.env, AZR_DATA_DIR: dataDir() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out, err }));
    });
  };
  return {
    azr,
    azrJson: async <T>(args: readonly string[]) => {
      const { code, out, err } = await azr(args);
      expect(code, `azr ${args.join(' ')}\n${out}\n${err}`).toBe(0);
      return JSON.parse(out) as T;
    },
  };
}

/** Overrides of the preset tiny: a model that warms up within seconds. */
export const SMALL_MODEL = [
  'policy.model.layers=2',
  'policy.model.width=32',
  'policy.model.hidden=64',
  'policy.warmUp.steps=40',
  'policy.warmUp.rowsPerStep=64',
];
