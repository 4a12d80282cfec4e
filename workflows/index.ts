/** The workflow bundle: what a worker of role `orchestrate` runs. */
export { iteration } from './iteration.js';
export { seedingRun } from './seeding-run.js';
export { selfPlayRun } from './self-play-run.js';
