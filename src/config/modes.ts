/**
 * `mode`: two named bundles of switches, where the paper and the published code do different things.
 *
 *   paper      what the paper says, where it says it; where it is silent, what is sound
 *   published  what the published code does, its quirks with it, where they endanger nobody
 *
 * A bundle comes before the explicit keys of a preset and of --set, so those win. Keys with the same value in both (the
 * schema's default) are in neither. docs/ALGORITHM.md has the table and what each row rests on.
 */
export const MODES = ['paper', 'published'] as const;
export type Mode = (typeof MODES)[number];

/** Values by dotted key of the run configuration. */
export type Switches = Readonly<Record<string, string | number | boolean | null>>;

export const MODE_SWITCHES: Readonly<Record<Mode, Switches>> = {
  paper: {
    'learner.advantage': 'trr_plus_plus',
    'learner.clipHigh': 0.2,
    'learner.dualClip': null,
    'learner.entropyCoefficient': 0.001,
    'learner.optimiser.weightDecay': 0.01,
    'buffer.keep': 'newest',
    'schedule.solverTasks': 'this_iteration',
    'sandbox.policy': 'strict',
  },
  published: {
    'learner.advantage': 'trr_plus_plus_token_weighted',
    'learner.clipHigh': 0.28,
    'learner.dualClip': 3,
    'learner.entropyCoefficient': 0,
    'learner.optimiser.weightDecay': 0,
    'buffer.keep': 'oldest',
    'schedule.solverTasks': 'last_iteration',
    'sandbox.policy': 'published',
  },
};

export function isMode(value: unknown): value is Mode {
  return MODES.some((mode) => mode === value);
}
