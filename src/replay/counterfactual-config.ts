/**
 * A run's configuration with some keys changed, as a counterfactual may change them: what rewards and advantages are made
 * from may differ, what was sampled may not, for the samples are those of the record.
 */
import { UsageError } from '../config/errors.js';
import { leaves, setAt, valueAt, type Values } from '../config/key-paths.js';
import { MODE_SWITCHES, type Mode } from '../config/modes.js';
import { applyOverride } from '../config/overrides.js';
import { checkRunConfig } from '../config/presets.js';
import type { RunConfig } from '../config/run.js';

/** Keys that decide what was sampled, and how. */
const SAMPLED: readonly (readonly [string, string])[] = [
  ['seed', 'decides every draw'],
  ['policy', 'decides which model sampled'],
  ['propose', 'decides what was proposed'],
  ['solve', 'decides which tasks were tried, and how often'],
  ['sandbox', 'decides which programs became tasks'],
  ['learnability.samples', 'decides how many rollouts a proposal had'],
  ['buffer', 'decides which tasks were kept and drawn'],
  ['schedule.solverTasks', 'decides which tasks could be drawn'],
];

/** Keys that rewards and advantages are computed from; all others have no effect on them. */
const RECOMPUTED: readonly string[] = [
  'reward',
  'learner.advantage',
  'learner.trainPropose',
  'learnability.train',
  'control.permuteSolverRewards',
];

export interface ChangedKey {
  readonly key: string;
  readonly recorded: unknown;
  readonly value: unknown;
}

export interface CounterfactualConfig {
  readonly config: RunConfig;
  /** Sorted keys, as RunStarted has it. */
  readonly json: string;
  /** Digest of the configuration: 16 hexadecimal characters of its SHA-256. */
  readonly id: string;
  /** What differs and is recomputed. */
  readonly changes: readonly ChangedKey[];
  /** What differs, and changes the learner's step or the schedule alone. */
  readonly withoutEffect: readonly string[];
  /** Switches of the mode that decide what was sampled: they stay as recorded. */
  readonly keptAsRecorded: readonly string[];
}

export interface Wanted {
  /** Keys of a file, by group; they come before the overrides. */
  readonly values?: Values;
  /** Its switches come before the values. */
  readonly mode?: Mode;
  /** Texts `a.b=c`. */
  readonly overrides: readonly string[];
}

const isUnder = (key: string, prefix: string): boolean => key === prefix || key.startsWith(`${prefix}.`);
const samplingReason = (key: string): string | undefined =>
  SAMPLED.find(([prefix]) => isUnder(key, prefix))?.[1];

/**
 * @param recordedJson the configuration in RunStarted.
 * @throws UsageError naming each key that decides what was sampled, or where nothing is left to recompute.
 */
export function counterfactualConfig(recordedJson: string, wanted: Wanted): CounterfactualConfig {
  const recorded = checkRunConfig(JSON.parse(recordedJson), 'the recorded configuration').config;
  const raw = structuredClone(recorded) as unknown as Values;
  const keptAsRecorded: string[] = [];
  for (const [key, value] of Object.entries(wanted.mode === undefined ? {} : MODE_SWITCHES[wanted.mode]))
    if (samplingReason(key) === undefined) setAt(raw, key, value);
    else if (valueAt(recorded, key) !== value) keptAsRecorded.push(key);
  for (const [key, value] of leaves(wanted.values ?? {})) {
    const inTheWay = setAt(raw, key, value);
    if (inTheWay !== undefined)
      throw new UsageError(`--with: ${inTheWay} holds a value, not a group of keys, so ${key} has no place`);
  }
  for (const override of wanted.overrides) applyOverride(raw, override);
  const { config, json, hash } = checkRunConfig(raw, 'the recorded configuration with the changes');

  const differing = changedKeys(recorded, config);
  const refused = differing.flatMap(({ key, recorded: before, value }) => {
    const reason = samplingReason(key);
    return reason === undefined
      ? []
      : [`${key} is ${JSON.stringify(value)} (recorded ${JSON.stringify(before)}) and ${reason}`];
  });
  if (refused.length > 0)
    throw new UsageError(
      `${refused.join('; ')}: the samples of the record cannot answer for others. Accepted are changes of ${RECOMPUTED.join(', ')}; a fork (npx azr fork) samples anew`,
    );
  const changes = differing.filter(({ key }) => RECOMPUTED.some((prefix) => isUnder(key, prefix)));
  const withoutEffect = differing.map(({ key }) => key).filter((key) => !changes.some((c) => c.key === key));
  if (changes.length === 0)
    throw new UsageError(
      `nothing is left to recompute: ${withoutEffect.length === 0 ? 'no key differs from the record' : `${withoutEffect.join(', ')} change no reward and no advantage`}; accepted are changes of ${RECOMPUTED.join(', ')}`,
    );
  return { config, json, id: hash.slice(0, 16), changes, withoutEffect, keptAsRecorded };
}

function changedKeys(recorded: RunConfig, config: RunConfig): ChangedKey[] {
  const before = new Map(leaves(recorded));
  return leaves(config)
    .filter(([key, value]) => JSON.stringify(before.get(key)) !== JSON.stringify(value))
    .map(([key, value]) => ({ key, recorded: before.get(key), value }));
}
