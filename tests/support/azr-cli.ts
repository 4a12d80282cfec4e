/** The command line against a stack of the test's own, in a folder of its own. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { isAlive, type ProcessIdentity } from '../../src/config/stack-state.js';

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

/** Overrides of the preset tiny: each kind has the step's batch, and the first iteration learns. */
export const PLAIN_STEPS = ['propose.batchByKind={}', 'schedule.seedingIterations=0'];

/** Overrides of the preset tiny: a model that warms up within seconds. */
export const SMALL_MODEL = [
  'policy.model.layers=2',
  'policy.model.width=32',
  'policy.model.hidden=64',
  'policy.warmUp.steps=40',
  'policy.warmUp.rowsPerStep=64',
];

/** Runs a command and kills it once its output has the sign. Rejects where it ends before. */
export function azrUntil(dataDir: string, args: readonly string[], sign: RegExp): Promise<void> {
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/azr.mjs'), ...args], {
    cwd: ROOT,
    env: { ...process.env, AZR_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () =>
      sign.test(out) ? resolve() : reject(new Error(`ended without ${sign.source}:\n${out}`)),
    );
    child.stdout.on('data', (part: Buffer) => {
      out += part.toString();
      if (sign.test(out)) child.kill('SIGKILL');
    });
  });
}

/** kill -9 the supervisor first, so that it restarts nothing, then everything that it carried; returns when all are gone. */
export async function killServices(dataDir: string, azrJson: AzrCli['azrJson']): Promise<void> {
  const { services } = await azrJson<{ services: { pid?: number }[] }>(['status', '--json']);
  const supervisor = JSON.parse(
    await readFile(path.join(dataDir, 'state/supervisor.json'), 'utf8'),
  ) as ProcessIdentity;
  const pids = services.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  for (const pid of [supervisor.pid, ...pids]) process.kill(pid, 'SIGKILL');
  while (isAlive(supervisor)) await sleep(50);
}
