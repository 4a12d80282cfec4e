/** The pool under murder: workers die, node dies, memory stays, JSON lines hold. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'esbuild';
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  checkIsolation,
  createSandbox,
  IsolationUnavailable,
  type LocalSandbox,
} from '../../src/sandbox/index.js';
import { execJsonl, judgeJsonl } from '../../src/sandbox/jsonl.js';

const isolation = await checkIsolation();
if (!isolation.ok) console.warn(`sandbox tests skipped: ${isolation.missing}; ${isolation.remedy}`);
const SOURCE = fileURLToPath(new URL('../../src/sandbox', import.meta.url));

/** Programs after which memory is as it was; AZR_MEMORY_PROGRAMS=20000 takes a minute or two. */
const MEMORY_PROGRAMS = Number(process.env['AZR_MEMORY_PROGRAMS'] ?? 5_000);

/** Process ids of all descendants, or of the first generations of them, from /proc. */
function descendants(root: number, generations = Infinity): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      continue;
    }
  }
  const found: number[] = [];
  let generation = [root];
  for (let depth = 0; depth < generations && generation.length > 0; depth++) {
    const ancestors = new Set(generation);
    generation = [...parents].filter(([, parent]) => ancestors.has(parent)).map(([pid]) => pid);
    found.push(...generation);
  }
  return found;
}

/** How many generations stand below a process. */
function depthBelow(root: number): number {
  let depth = 0;
  while (descendants(root, depth + 1).length > descendants(root, depth).length) depth += 1;
  return depth;
}

/** A program over the sandbox as one file, for a node process of its own. */
async function withBundle(main: string, use: (script: string) => Promise<void> | void): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sandbox-test-'));
  const script = path.join(folder, 'main.mjs');
  try {
    await chmod(folder, 0o755);
    await build({
      entryPoints: [path.join(SOURCE, 'index.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: path.join(folder, 'sandbox.mjs'),
    });
    await cp(path.join(SOURCE, 'harness'), path.join(folder, 'harness'), { recursive: true });
    await writeFile(script, `import { createSandbox } from './sandbox.mjs';\n${main}`);
    await use(script);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

const requests = (count: number, offset = 0) =>
  Array.from({ length: count }, (_, i) => ({
    id: String(i),
    code: `def f(x):\n return [sum(x), ${offset + i}]`,
    inputs: ['[1, 2]', '[3]'],
    class: i % 3 === 0 ? ('strict' as const) : ('pure' as const),
  }));
const answers = (count: number, offset = 0) =>
  Array.from({ length: count }, (_, i) => [String(i), `[3, ${offset + i}]`, `[3, ${offset + i}]`]);
const texts = (results: Awaited<ReturnType<LocalSandbox['runMany']>>) =>
  results.map(({ id, outcomes }) => [
    id,
    ...outcomes.map((outcome) => (outcome.kind === 'value' ? outcome.text : outcome.kind)),
  ]);

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

describe.skipIf(!isolation.ok)('the pool', () => {
  let sandbox: LocalSandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ workers: 2 });
  });
  afterAll(() => sandbox.close());

  it('loses and doubles no answer when its processes are killed under load', async () => {
    // The harness alone, as it stands while nothing runs: a program's own process that is killed is an honest `killed`.
    const harness = Math.max(...(await sandbox.processIds()).map(depthBelow));
    const running = sandbox.runMany(requests(600));
    let done = false;
    const settled = running.finally(() => (done = true));
    for (let kills = 0; kills < 12 && !done; kills++) {
      const pids = await sandbox.processIds();
      const victims = pids.flatMap((pid) => [pid, ...descendants(pid, harness)]);
      const victim = victims[(kills * 5) % victims.length];
      if (victim !== undefined && alive(victim)) process.kill(victim, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(texts(await settled)).toEqual(answers(600));
    expect(sandbox.restarts).toBeGreaterThan(0);
  });

  it('answers many calls at once, each its own', async () => {
    const calls = await Promise.all(
      Array.from({ length: 8 }, (_, k) => sandbox.runMany(requests(40, k * 1000))),
    );
    calls.forEach((results, k) => expect(texts(results)).toEqual(answers(40, k * 1000)));
  });

  it('keeps its memory', async () => {
    const round = async (from: number): Promise<number> => {
      for (let i = 0; i < 10; i++)
        await sandbox.runMany(
          requests(100, from + i * 100).map((request) => ({
            ...request,
            class: 'pure' as const,
            code: `${request.code} + ["x" * 9000]`,
          })),
        );
      const inside = (await sandbox.processIds()).flatMap((pid) => descendants(pid));
      return inside.reduce((sum, pid) => sum + residentKiB(pid), 0);
    };
    await round(0);
    const before = await round(1000);
    let after = before;
    for (let from = 2000; from < MEMORY_PROGRAMS; from += 1000) after = await round(from);
    if (MEMORY_PROGRAMS > 5000) console.warn(`KiB after 2000 programs: ${before}, at the end: ${after}`);
    // Supervisors and templates may breathe by some pages, not grow with the work done.
    expect(after - before).toBeLessThan(8 * 1024);
  });

  it('leaves no process behind when it is closed, nor when node is killed', async () => {
    const own = await createSandbox({ workers: 2 });
    const busy = own.run({
      id: 'x',
      code: 'def f(a):\n while True: pass',
      inputs: ['1'],
      seeds: 3,
      limits: { cpuMs: 60_000 },
    });
    busy.catch(() => undefined);
    await until(() => descendants(process.pid).length > 0);
    const pids = (await own.processIds()).flatMap((pid) => [pid, ...descendants(pid)]);
    await own.close();
    await expect(busy).rejects.toThrow();
    await until(() => !pids.some(alive));

    await withBundle(
      `const sandbox = await createSandbox({ workers: 2 });
      void sandbox.run({ id: 'x', code: 'def f(a):\\n while True: pass', inputs: ['1', '2'], class: 'strict', limits: { cpuMs: 60000 } });
      console.log('running');
      setInterval(() => undefined, 1000);`,
      async (script) => {
        const node = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
        await once(node.stdout, 'data');
        // bubblewrap, its init, supervisor, two templates, child: of two workers
        await until(() => descendants(node.pid ?? 0).length >= 12);
        const orphans = descendants(node.pid ?? 0);
        node.kill('SIGKILL');
        await until(() => !orphans.some(alive));
      },
    );
  });

  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
  const canSwitch = process.getuid?.() === 0 && spawnSync('setpriv', [...asNobody, '-e', '0']).status === 0;
  if (!canSwitch)
    console.warn(
      'the run as an ordinary user is skipped: it needs root, setpriv and a node that all may run',
    );
  it.skipIf(!canSwitch)('holds for an ordinary user as for root', async () => {
    await withBundle(
      `const sandbox = await createSandbox();
      const code = 'import os\\ndef f(a):\\n if a: os.fork()\\n return os.getuid()';
      const { outcomes } = await sandbox.run({ id: 'x', code, inputs: ['0', '1'] });
      console.log(JSON.stringify([process.getuid(), outcomes.map((o) => o.text ?? o.error), sandbox.interpreter.isolation]));
      await sandbox.close();`,
      (script) => {
        const { stdout, stderr } = spawnSync('setpriv', [...asNobody, script], { encoding: 'utf8' });
        expect([stdout.trim(), stderr]).toEqual(['[65534,["65534","PermissionError"],"isolated"]', '']);
      },
    );
  });

  it('answers the lines that have come while the input stays open', async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const done = execJsonl(sandbox, input, output, collector().stream);
    for (const id of ['first', 'second']) {
      input.write(`${JSON.stringify({ id, code: 'def f(x):\n return x', inputs: ['1'] })}\n`);
      const [answer] = (await once(output, 'data')) as [Buffer];
      expect(JSON.parse(answer.toString())).toMatchObject({
        id,
        results: [{ outcome: 'value', value: '1' }],
      });
    }
    input.end();
    expect(await done).toBe(0);
  });

  it('reads and writes JSON lines in order, reports broken ones, and survives what hostile lines hold', async () => {
    const lines = [
      JSON.stringify({ id: 1, code: 'def f(x):\n return x', inputs: ['[1]', '2) or (3', '"\\ud800"'] }),
      '{"id": "broken"',
      JSON.stringify({
        id: 'slow',
        code: 'def f(x):\n while True: pass',
        inputs: ['1'],
        limits: { cpuMs: 100 },
      }),
      '',
      JSON.stringify({
        id: 'big',
        code: `def f(x): return 1 #${'x'.repeat(10 << 20)}`,
        inputs: [`"${'y'.repeat(1 << 20)}"`],
      }),
      JSON.stringify({ id: 'nul', code: 'def f(x): return "\0"', inputs: ['"\0"'] }),
      JSON.stringify({ id: 'surrogate', code: 'def f(x): return "\ud800"', inputs: ['"\udfff"'] }),
      JSON.stringify({ id: 'limits', code: 'def f(x): return 1', inputs: [], limits: { cpu: 1 } }),
      '[1]',
      JSON.stringify({ code: 'def f(x): return 1', inputs: [] }),
      JSON.stringify({ id: 'last', code: 'def f(): return 7', inputs: [''] }),
    ];
    const out = collector();
    const errors = collector();
    expect(
      await execJsonl(sandbox, Readable.from([Buffer.from(lines.join('\n'))]), out.stream, errors.stream),
    ).toBe(4);
    const results = out
      .text()
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { id: unknown; results: { outcome: string; value?: string }[]; cpuMs: number },
      );
    expect(results.map(({ id }) => id)).toEqual([1, 'slow', 'big', 'nul', 'surrogate', 'last']);
    expect(results[0]?.results.map(({ outcome }) => outcome)).toEqual(['value', 'refused', 'value']);
    expect(results[1]?.results).toEqual([{ outcome: 'timeout' }]);
    expect(results[2]?.results.map(({ outcome }) => outcome)).toEqual(['refused']);
    expect(results[5]?.results).toEqual([{ outcome: 'value', value: '7' }]);
    expect(errors.text()).toMatch(
      /^line 2: .*\nline 8: limits\.cpu is unknown.*\nline 9: .*\nline 10: id is missing/,
    );

    const judged = collector();
    const items = [
      { id: 'd', kind: 'deduction', code: '', output: '[1]', answer: '[True]' },
      { id: 'a', kind: 'abduction', code: 'def f(x): return x * 2', output: '4', answer: '2' },
      {
        id: 'i',
        kind: 'induction',
        code: '',
        pairs: [{ input: '1', output: '2' }],
        answer: 'def f(x): return 3',
      },
      { id: 'bad', kind: 'induction', code: '', answer: 'x' },
      { id: 'long', kind: 'deduction', code: '', output: '1', answer: '['.repeat(10 << 20) },
      { id: 'nul', kind: 'abduction', code: 'def f(x): return x', output: '1', answer: '\0\ud800' },
    ];
    expect(
      await judgeJsonl(
        sandbox,
        Readable.from(items.map((item) => `${JSON.stringify(item)}\n`)),
        judged.stream,
        errors.stream,
      ),
    ).toBe(1);
    const verdicts = judged
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; correct: boolean; reason: string });
    expect(verdicts.map(({ id, correct, reason }) => [id, correct, reason])).toEqual([
      ['d', true, 'correct'],
      ['a', true, 'correct'],
      ['i', false, 'wrong'],
      ['long', false, 'not-literal'],
      ['nul', false, 'refused'],
    ]);
  });
});

describe('without isolation', () => {
  it('does not start, and says what to do', async () => {
    const failing = createSandbox({ bwrap: '/nonexistent/bwrap' });
    await expect(failing).rejects.toBeInstanceOf(IsolationUnavailable);
    await expect(failing).rejects.toThrow(/bubblewrap .* is missing\. apt-get install bubblewrap/);
    const refused = await checkIsolation({ bwrap: '/bin/false' });
    expect(refused.ok ? '' : refused.missing).toMatch(/namespaces/);
    await expect(createSandbox({ python: '/bin/true' })).rejects.toThrow(/Python 3\.11; found \/bin\/true/);
  });

  it.skipIf(!isolation.ok)('runs with a loud warning where that is asked for', async () => {
    const write = process.stderr.write.bind(process.stderr);
    let said = '';
    process.stderr.write = (text: string) => ((said += text), true);
    let sandbox: LocalSandbox;
    try {
      sandbox = await createSandbox({ unsafeNoIsolation: true });
    } finally {
      process.stderr.write = write;
    }
    expect(said).toMatch(/WARNING.*WITHOUT/);
    expect(sandbox.interpreter.isolation).toBe('none');
    const result = await sandbox.run({
      id: 'x',
      code: 'def f(a):\n return [*range(a)]',
      inputs: ['3'],
      seeds: 2,
    });
    expect(result.outcomes).toEqual([{ kind: 'value', text: '[0, 1, 2]' }]);
    const fork = await sandbox.run({ id: 'y', code: 'import os\ndef f(a): os.fork()', inputs: ['3'] });
    expect(fork.outcomes).toMatchObject([{ kind: 'raised', error: 'PermissionError' }]);
    await sandbox.close();
  });
});
