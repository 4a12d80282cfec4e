/** The engine as a child process: the port end to end, cancellation, and deaths on either side. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPolicyEngine, EngineDiedError } from '../../src/policy/index.js';
import type {
  CheckpointRef,
  LearnConfig,
  LearnRow,
  PolicyEngine,
  SampleRequest,
} from '../../src/policy/port.js';
import { accepts, TINY_GRAMMAR } from '../../src/policy/tiny/grammar.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { warmUpRows } from '../../src/policy/tiny/warm-up.js';
import { WARM_UP_MIX } from '../support/warm-up-mix.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const mix = WARM_UP_MIX;
const spec = tinySpec({ layers: 2, width: 16, heads: 2, hidden: 24, context: 96 });
const config: LearnConfig = {
  learningRate: 3e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.2,
  entropyCoefficient: 0.01,
  minibatches: 1,
  microbatchRows: 64,
  aggregation: 'token',
  shuffleSeed: 5,
};

/** Engine processes that `parent` has. */
async function engineProcesses(parent: number): Promise<number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${parent}/task`)) {
    const children = (await readFile(`/proc/${parent}/task/${task}/children`, 'utf8'))
      .split(' ')
      .filter(Boolean);
    for (const child of children) {
      const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
      if (command.includes('engine-process')) found.push(Number(child));
    }
  }
  return found;
}

function requests(count: number): SampleRequest[] {
  return warmUpRows(50, count, mix).map((row, i) => ({
    id: `${i}`,
    prompt: row.prompt,
    seed: i,
    temperature: 1,
    maxTokens: 40,
    grammar: row.group,
  }));
}

let folder: string;
let engine: PolicyEngine;
let fresh: CheckpointRef;

beforeAll(async () => {
  // The child runs the compiled module.
  await promisify(execFile)(process.execPath, [path.join(root, 'scripts', 'build.mjs')]);
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-process-'));
  engine = await createPolicyEngine({ threads: 1 });
  fresh = await engine.initialise(spec, 3, path.join(folder, 'fresh'));
});

afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the engine behind its port', () => {
  it('says which backend it runs on and why', () => {
    expect(engine.backend).toMatchObject({ backend: 'tfjs-node-gpu', threads: 1 });
    expect(engine.backend.library).toMatch(/^libtensorflow \d/);
    expect(engine.backend.reason).not.toBe('');
  });

  it('learns from batches that are made as they are asked for, samples, learns from samples', async () => {
    const losses: number[] = [];
    let made = 0;
    async function* batches(): AsyncGenerator<LearnRow[]> {
      for (; made < 30; made++) {
        // Backpressure: at most the batch at hand and the next are out.
        expect(made - losses.length).toBeLessThanOrEqual(2);
        await sleep(0);
        yield warmUpRows(made, 64, mix);
      }
    }
    const { checkpoint, steps, loss } = await engine.imitate(
      fresh,
      batches(),
      config,
      path.join(folder, 'v0'),
      {
        onProgress: (_step, value) => losses.push(value),
      },
    );
    expect(steps).toBe(30);
    expect(loss).toBe(losses.at(-1));
    expect(loss).toBeLessThan(0.9 * (losses[0] ?? 0));

    const asked = requests(100);
    const samples = await engine.sample(checkpoint, asked);
    expect(samples.map(({ id }) => id)).toEqual(asked.map(({ id }) => id));
    samples.forEach(({ tokens, finish }, i) => {
      if (finish === 'end') expect(accepts(TINY_GRAMMAR, asked[i]?.grammar ?? '', tokens)).toBe(true);
    });
    const rows = samples.map(({ id, tokens, logProbs }, i): LearnRow => {
      const { prompt, grammar } = asked[i] as SampleRequest;
      return {
        id,
        group: grammar ?? '',
        grammar: grammar ?? '',
        prompt,
        completion: tokens,
        logProbs,
        advantage: i % 2,
      };
    });
    const done: number[] = [];
    const { checkpoint: next, statistics } = await engine.learn(
      checkpoint,
      rows,
      config,
      path.join(folder, 'v1'),
      {
        onProgress: (n) => done.push(n),
      },
    );
    expect(next.version).toBe(1);
    expect(done.at(-1)).toBe(100);
    // The first step is on the policy that drew the samples.
    expect(statistics.approxKl).toBeLessThan(1e-6);
    expect(statistics.clipFraction).toBe(0);
  });

  it("gives the engine's errors their class: bad input is not tried again by it", async () => {
    // As Temporal tells an error's type, which the retry policy goes by.
    const typeOf = (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => 'none',
        (error: unknown) => (error as Error).constructor.name,
      );
    const at = path.join(folder, 'no-model');
    expect(await typeOf(engine.importModel(at, path.join(folder, 'imported')))).toBe('ModelFileError');
    const long = { ...(requests(1)[0] as SampleRequest), prompt: [999] };
    expect(await typeOf(engine.sample(fresh, [long]))).toBe('RangeError');
    const gone = { version: 4, folder: at, digest: 'x' };
    expect(await typeOf(engine.sample(gone, requests(1)))).toBe('CorruptCheckpointError');
  });

  it("gives the engine's errors their name and message", async () => {
    await expect(
      engine.sample(fresh, [{ ...(requests(1)[0] as SampleRequest), prompt: [999] }]),
    ).rejects.toMatchObject({
      name: 'RangeError',
      message: expect.stringContaining('holds token 999') as string,
    });
    const folderOfNothing = path.join(folder, 'nothing');
    await expect(
      engine.sample({ version: 4, folder: folderOfNothing, digest: 'x' }, requests(1)),
    ).rejects.toMatchObject({
      name: 'CorruptCheckpointError',
      message: expect.stringContaining(folderOfNothing) as string,
    });
  });

  it('rejects with what the batches threw', async () => {
    function* failing(): Generator<LearnRow[]> {
      yield warmUpRows(1, 8, mix);
      throw new Error('no more rows for you');
    }
    await expect(engine.imitate(fresh, failing(), config, path.join(folder, 'never'))).rejects.toThrow(
      'no more rows for you',
    );
    expect(existsSync(path.join(folder, 'never'))).toBe(false);
    expect(await engine.sample(fresh, requests(2))).toHaveLength(2);
  });

  it("stops when told, with the caller's reason, and serves the next call", async () => {
    const cancel = new AbortController();
    const reason = new Error('enough');
    const call = engine.sample(fresh, requests(3000), {
      signal: cancel.signal,
      onProgress: () => cancel.abort(reason),
    });
    await expect(call).rejects.toBe(reason);
    expect(await engine.sample(fresh, requests(2))).toHaveLength(2);
  });
});

describe('deaths', () => {
  it('of the engine: the call fails and says so, the next one finds a new process and gives the same samples', async () => {
    const asked = requests(400);
    const before = await engine.sample(fresh, asked);
    const [child] = await engineProcesses(process.pid);
    const call = engine.sample(fresh, asked, { onProgress: () => process.kill(child ?? -1, 'SIGKILL') });
    await expect(call).rejects.toThrow(EngineDiedError);
    await expect(call).rejects.toThrow(
      /SIGKILL.*memory ran out: fewer rows at once \(learner\.microbatchRows\).*Finished steps are kept/,
    );
    expect(await engine.sample(fresh, asked)).toEqual(before);
    expect(await engineProcesses(process.pid)).not.toContain(child);
  });

  it('of the owner: the engine ends too', async () => {
    const script = path.join(folder, 'owner.mjs');
    const module = JSON.stringify(path.join(root, 'dist', 'src', 'policy', 'index.js'));
    await writeFile(
      script,
      `import { createPolicyEngine } from ${module};\nawait createPolicyEngine({ threads: 1 });\nconsole.log('ready');\nsetInterval(() => {}, 1000);\n`,
    );
    const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    const [child] = await engineProcesses(owner.pid ?? -1);
    expect(child).toBeGreaterThan(0);
    owner.kill('SIGKILL');
    const alive = (): boolean => existsSync(`/proc/${child ?? -1}`);
    for (let i = 0; i < 200 && alive(); i++) await sleep(50);
    expect(alive()).toBe(false);
  });

  it('of a closed engine: calls are refused', async () => {
    const own = await createPolicyEngine({ threads: 1 });
    await own.close();
    await expect(own.sample(fresh, requests(1))).rejects.toThrow('the policy engine is closed');
  });

  it('refuses thread counts that are none', async () => {
    await expect(createPolicyEngine({ threads: 0 })).rejects.toThrow(
      'threads is 0; accepted are integers from 1',
    );
  });
});
