/**
 * `azr replay` where checkpoints are not as they were: a real run of two iterations, then files of its data folder removed
 * and cut off. Each is named with what is wrong, with exit code 6; what rests on other files is checked all the same.
 */
import { cp, mkdtemp, rm, truncate } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { checkpointFolder } from '../../src/learner/checkpoint-folder.js';
import type { ReplayReport } from '../../src/replay/replay.js';
import { azrCli, SMALL_MODEL } from '../support/azr-cli.js';

const RUN = 'short';
const SETTINGS = [...SMALL_MODEL, 'propose.batch=8', 'solve.batch=4', 'evaluation.perBucket=2'];
let dataDir: string;
let kept: string;
const { azr } = azrCli(() => dataDir);
const checkpoints = (): string => path.join(dataDir, 'checkpoints');
const fileOf = (version: number, file: string): string =>
  path.join(checkpointFolder(checkpoints(), RUN, version), file);

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'azr-checkpoints-'));
  kept = `${dataDir}-kept`;
  const up = await azr(['up']);
  expect(up.code, up.err).toBe(0);
  const sets = SETTINGS.flatMap((setting) => ['--set', setting]);
  const ran = await azr(['run', 'tiny', '--run', RUN, '--iterations', '2', ...sets, '--follow']);
  expect(ran.code, ran.out + ran.err).toBe(0);
  await cp(checkpoints(), kept, { recursive: true });
});

afterEach(async () => {
  await rm(checkpoints(), { recursive: true });
  await cp(kept, checkpoints(), { recursive: true });
});

afterAll(async () => {
  await azr(['down']);
  for (const folder of [dataDir, kept]) await rm(folder, { recursive: true, force: true });
});

async function replayed(
  ...options: readonly string[]
): Promise<{ readonly code: number | null; readonly report: ReplayReport }> {
  const { code, out, err } = await azr(['replay', RUN, '--verify', 'rewards,learner', '--json', ...options]);
  expect(out, err).not.toBe('');
  return { code, report: JSON.parse(out) as ReplayReport };
}

describe('replay', () => {
  it('agrees where every checkpoint is there', async () => {
    const { code, report } = await replayed();
    expect([code, report.differences]).toEqual([EXIT.ok, []]);
    expect(report.counts.filter(({ check }) => check === 'learner').map(({ checked }) => checked)).toEqual([
      1, 1,
    ]);
  });

  it.each([
    ['a manifest that is gone', 0, 'manifest.json', undefined, 'cannot be read (ENOENT)'],
    ['a manifest that is cut off', 0, 'manifest.json', 20, 'has SHA-256'],
    ['weights that are gone', 1, 'model.safetensors', undefined, 'cannot be read (ENOENT)'],
    ['weights that are cut off', 1, 'model.safetensors', 1000, 'is damaged: 1000 bytes'],
    ['moments that are cut off', 1, 'optimizer.safetensors', 1000, 'is damaged: 1000 bytes'],
  ])('names %s, and checks the rest', async (_what, version, file, length, wrong) => {
    const damaged = fileOf(version, file);
    if (length === undefined) await rm(damaged);
    else await truncate(damaged, length);
    // A step is computed from what the one before it left in memory: files count where a replay begins.
    const { code, report } = await replayed(...(version === 0 ? [] : ['--from', String(version + 1)]));
    expect(code).toBe(EXIT.differences);
    expect(report.differences).toHaveLength(1);
    const [difference] = report.differences;
    expect(difference).toMatchObject({ iteration: version + 1, check: 'learner', field: 'digest' });
    expect(difference?.recomputed).toContain(`not computed: checkpoint ${version}: ${damaged}`);
    expect(difference?.recomputed).toContain(wrong);
    for (const { iteration, check, checked, differ } of report.counts) {
      expect(checked, `${check} of ${iteration}`).toBeGreaterThan(0);
      expect(differ, `${check} of ${iteration}`).toBe(
        check === 'learner' && iteration === version + 1 ? 1 : 0,
      );
    }
  });
});
