/**
 * Composite programs (the published composite_functions): a proposer is given programs of the buffer as functions g_0,
 * g_1, ... and writes an `f` that calls each of them. What runs, and what a solver sees, are the definitions followed by
 * `f`.
 *
 * This file holds how often and with how many functions, and what the definitions are composed to; composite-check.ts
 * holds what such an `f` may be.
 */
export interface CompositeSettings {
  /** Probability that a prompt asks for a composite program (composite_chance). */
  readonly chance: number;
  /** Functions given, drawn uniformly from minFunctions to maxFunctions (composite_function_n_min, n_max). */
  readonly minFunctions: number;
  readonly maxFunctions: number;
  /** First iteration in which it happens (composite_start_step). */
  readonly startIteration: number;
  readonly schedule: CompositeSchedule;
}

/**
 * Both quantities rise by a step at iteration `start` and again every `every` iterations, up to their limits. The published
 * scheduler names a start (101) for the number alone; here both have it.
 */
export interface CompositeSchedule {
  readonly enabled: boolean;
  readonly start: number;
  readonly every: number;
  readonly functionsStep: number;
  readonly functionsLimit: number;
  readonly chanceStep: number;
  readonly chanceLimit: number;
}

export interface CompositeOdds {
  readonly chance: number;
  readonly minFunctions: number;
  readonly maxFunctions: number;
}

/** The odds of an iteration, from 1. A limit below the configured value lowers nothing. */
export function compositeOdds(settings: CompositeSettings, iteration: number): CompositeOdds {
  const { chance, minFunctions, maxFunctions, startIteration, schedule } = settings;
  if (iteration < startIteration) return { chance: 0, minFunctions, maxFunctions };
  const { enabled, start, every } = schedule;
  const steps = enabled && iteration >= start ? Math.floor((iteration - start) / every) + 1 : 0;
  const raised = (from: number, step: number, limit: number): number =>
    Math.max(from, Math.min(limit, from + steps * step));
  return {
    chance: raised(chance, schedule.chanceStep, schedule.chanceLimit),
    minFunctions,
    maxFunctions: raised(maxFunctions, schedule.functionsStep, schedule.functionsLimit),
  };
}

/** Whether any iteration of a run may ask for a composite program: what a policy's vocabulary hangs on. */
export function mayCompose({ chance, schedule }: CompositeSettings): boolean {
  return chance > 0 || (schedule.enabled && schedule.chanceStep > 0 && schedule.chanceLimit > 0);
}

/** The most functions that any iteration gives. */
export function mostFunctions({ maxFunctions, schedule }: CompositeSettings): number {
  return schedule.enabled && schedule.functionsStep > 0
    ? Math.max(maxFunctions, schedule.functionsLimit)
    : maxFunctions;
}

/** The name of the k-th given function, from 0. */
export const compositeName = (k: number): string => `g_${k}`;

/** What runs: the definitions, then the program that calls them. */
export function composedProgram(definitions: readonly string[], program: string): string {
  return [...definitions.map((definition) => definition.trimEnd()), program].join('\n\n');
}
