/**
 * The attacks as an ordinary user: what holds under root must hold where files and limits are those of somebody else.
 * Under root the corpus runs in a node of uid 65534; where the tests are already an ordinary user's, in one of the same.
 */
import { build } from 'esbuild';
import { spawn, spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIsolation } from '../../src/sandbox/index.js';
import { ATTACKS } from '../unit/sandbox/attacks.corpus.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'];

const isolation = await checkIsolation();
const reason = whyNot();
if (reason !== undefined) console.warn(`the sandbox as an ordinary user: skipped, ${reason}`);

function whyNot(): string | undefined {
  if (!isolation.ok) return `${isolation.missing}; ${isolation.remedy}`;
  if (!isRoot) return undefined;
  const [command = '', ...args] = [...AS_NOBODY, process.execPath, '--version'];
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: '/' });
  return status === 0
    ? undefined
    : `uid ${NOBODY} cannot start node here (${error?.message ?? stderr.trim()})`;
}

const MAIN = `
import { createSandbox } from './src/sandbox/index.js';
import { ATTACKS, describeOutcome, matches } from './tests/unit/sandbox/attacks.corpus.js';
const sandbox = await createSandbox({ workers: 2 });
const results = await sandbox.runMany(ATTACKS.map(({ id, code, input, seeds }) => ({
  id, code, inputs: [input ?? '1'], seeds: seeds ?? 1, limits: { cpuMs: 800 },
})));
const surprises = results.flatMap(({ id, outcomes: [outcome] }, i) => {
  const answer = describeOutcome(outcome);
  return matches(ATTACKS[i].expect, answer) ? [] : [[id, answer, ATTACKS[i].expect]];
});
console.log(JSON.stringify({ uid: process.getuid(), count: ATTACKS.length, restarts: sandbox.restarts, surprises }));
await sandbox.close();
`;

interface Answer {
  readonly uid: number;
  readonly count: number;
  readonly restarts: number;
  readonly surprises: readonly unknown[];
}

describe.skipIf(reason !== undefined)('an ordinary user', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'azr-user-'));
    await build({
      stdin: { contents: MAIN, resolveDir: ROOT, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: path.join(folder, 'attacks.mjs'),
      logLevel: 'error',
    });
    await cp(path.join(ROOT, 'src', 'sandbox', 'harness'), path.join(folder, 'harness'), { recursive: true });
    await writeFile(path.join(folder, 'package.json'), '{"type": "module"}');
    // Readable by everybody, as an installed checkout is.
    await chmod(folder, 0o755);
    await chmod(path.join(folder, 'harness'), 0o755);
    for (const name of await readdir(path.join(folder, 'harness')))
      if (name.endsWith('.py')) await chmod(path.join(folder, 'harness', name), 0o644);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('gets the same answers to all attacks, and loses no worker', async () => {
    const [command = '', ...args] = [
      ...(isRoot ? AS_NOBODY : []),
      process.execPath,
      path.join(folder, 'attacks.mjs'),
    ];
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
    });
    let out = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString('utf8')));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    expect(code).toBe(0);
    const answer = JSON.parse(out) as Answer;
    expect(answer).toEqual({
      uid: isRoot ? NOBODY : process.getuid?.(),
      count: ATTACKS.length,
      restarts: 0,
      surprises: [],
    });
  });
});
