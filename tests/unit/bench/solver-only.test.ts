import { describe, expect, it } from 'vitest';
import { solverOnly } from '../../../bench/learning/solver-only.js';
import { resolveRunConfig } from '../../../src/config/presets.js';

const overridesOf = async (...overrides: string[]): Promise<string[]> =>
  solverOnly((await resolveRunConfig('tiny', overrides)).config);

const BATCHES = [
  ...['propose.batch=48', 'propose.batchByKind={ induction: 384 }', 'learnability.samples=4'],
  ...['solve.batch=32', 'solve.samplesPerTask=8'],
];

describe('a run whose solver gets uniform tasks', () => {
  it('has as many samples of each kind as self-play', async () => {
    const overrides = await overridesOf(...BATCHES);
    expect(overrides).toEqual([
      'propose.source=uniform',
      'solve.batchByKind.deduction=56',
      'solve.batchByKind.abduction=56',
      'solve.batchByKind.induction=224',
    ]);
    const { config } = await resolveRunConfig('tiny', [...BATCHES, ...overrides]);
    expect(config.solve.batchByKind.induction).toBe(224);
  });

  it('does not make up for rollouts that are not trained on', async () => {
    expect(await overridesOf(...BATCHES, 'learnability.train=false')).toContain(
      'solve.batchByKind.induction=32',
    );
  });
});
