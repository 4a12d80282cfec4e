/** The switches of error prediction and composite programs, and what is refused about them. */
import { describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../../src/config/presets.js';

const tiny = async (...overrides: string[]) => (await resolveRunConfig('tiny', overrides)).config.propose;

describe('propose.kinds', () => {
  it('are the three of the paper by default, and any that are named', async () => {
    expect((await tiny()).kinds).toEqual(['deduction', 'abduction', 'induction']);
    expect((await tiny('propose.kinds=[error]')).kinds).toEqual(['error']);
  });

  it.each([
    ['propose.kinds=[]', /propose\.kinds is \[\]/],
    ['propose.kinds=[errors]', /propose\.kinds\.0 is "errors".*"error"/],
    ['propose.kinds=[error, error]', /stands in it twice/],
    ['propose.kinds=[induction, error]', /deduction or abduction: one of them is needed/],
    ['propose.bannedErrorKeywords=[goto]', /propose\.bannedErrorKeywords\.0 is "goto".*"raise"/],
  ])('%s is refused', async (override, message) => {
    await expect(tiny(override)).rejects.toThrow(message);
  });

  it('of error prediction are not drawn uniformly', async () => {
    await expect(tiny('propose.source=uniform', 'propose.kinds=[deduction, error]')).rejects.toThrow(
      /propose\.kinds is .*proposed, not drawn/,
    );
    expect((await tiny('propose.source=uniform', 'propose.kinds=[deduction]')).source).toBe('uniform');
  });
});

describe('propose.composite', () => {
  it('is off by default', async () => {
    expect((await tiny()).composite).toMatchObject({ chance: 0, schedule: { enabled: false } });
  });

  it('needs more references than it gives functions', async () => {
    await expect(tiny('propose.composite.chance=0.1', 'propose.references=1')).rejects.toThrow(
      /propose\.references is 1: accepted are more than the 1 functions/,
    );
    expect((await tiny('propose.references=1')).references).toBe(1);
  });

  it('gives the tiny policy one function', async () => {
    for (const [over, key, most] of [
      ['propose.composite.maxFunctions=2', 'maxFunctions', 2],
      ['propose.composite.schedule.enabled=true', 'schedule.functionsLimit', 3],
    ] as const)
      await expect(tiny('propose.composite.chance=0.1', 'propose.references=6', over)).rejects.toThrow(
        new RegExp(`propose.composite.${key} .*may give ${most}; accepted is 1`),
      );
    const large = await resolveRunConfig('7b', [
      'propose.composite.chance=0.1',
      'propose.composite.maxFunctions=3',
    ]);
    expect(large.config.propose.composite.maxFunctions).toBe(3);
  });

  it('has no least above the most', async () => {
    await expect(tiny('propose.composite.minFunctions=2')).rejects.toThrow(
      /propose\.composite\.minFunctions is 2: accepted are numbers up to maxFunctions/,
    );
  });
});
