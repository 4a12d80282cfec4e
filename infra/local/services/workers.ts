/** The workers of the local stack: one process for each set of roles that may share one. */
import path from 'node:path';
import { repositoryRoot } from '../../../src/config/paths.js';
import { RESTART, type ProcessSpec } from '../process-spec.js';

/**
 * Rollout, learner and evaluation hold the same model, one TensorFlow engine and one thread budget: one process. The
 * sandbox, the sink and the orchestrator must answer while that one computes.
 */
export const WORKER_ROLE_SETS = [
  ['orchestrate'],
  ['rollout', 'learner', 'evaluate'],
  ['sandbox'],
  ['sink'],
] as const;

const nameOf = (roles: readonly string[]): string => `worker-${roles.join('-')}`;

export const WORKER_NAMES: readonly string[] = WORKER_ROLE_SETS.map(nameOf);

/** @param env the variables of src/config/stack.ts that name all addresses. */
export function workerSpecs(
  env: Readonly<Record<string, string>>,
  dependsOn: readonly string[],
): ProcessSpec[] {
  const root = repositoryRoot();
  return WORKER_ROLE_SETS.map((roles) => ({
    name: nameOf(roles),
    command: process.execPath,
    args: [path.join(root, 'dist/src/cli/main.js'), 'worker', '--role', roles.join(',')],
    env: { ...env, KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    cwd: root,
    health: { kind: 'log', line: 'worker ready' },
    dependsOn,
    ports: [],
    restart: RESTART,
    stopSignal: 'SIGTERM',
    graceMs: 20_000,
    startMs: 180_000,
  }));
}
