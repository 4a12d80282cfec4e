/**
 * Execution classes over a pool: which programs and inputs share a child, and what is run again alone when a shared
 * child does not end as it should. The outcomes of the three classes are the same; only the price differs.
 *
 *   strict   a child an input
 *   batched  a child a program; after a time-out the inputs behind it go on in a new child, after any other abnormal end
 *            all inputs are run strictly
 *   pure     a child for up to 64 programs; after any abnormal end each program is run as batched
 *
 * A wish is followed as far as it is safe. Without one the class is pure where the static check allows it, else batched where no way is seen to carry state
 * from one input to the next, else strict.
 */
import type { Analyser, Prepared } from './analysis.js';
import type { Job, JobProgram } from './isolated.js';
import { MAX_CODE_BYTES, MAX_INPUT_BYTES, MAX_INPUTS, resolveLimits } from './limits.js';
import { agree, decodeFrame, decodeSingle, isClean, type Decoded } from './outcome.js';
import type { Pool } from './pool.js';
import type { Analysis, ExecutionClass, ExecutionRequest, ExecutionResult, Limits, Outcome } from './port.js';
import { isLiteralArguments } from './values.js';

const PROGRAMS_A_CHILD = 64;
const INPUTS_A_CHILD = 640;

/** One program and its accepted inputs under one class and set of limits. */
interface Unit {
  readonly code: string;
  /** The code object (isolated.ts); empty where there is none. */
  readonly compiled: string;
  readonly inputs: readonly string[];
  readonly limits: Limits;
}

interface UnitResult {
  readonly decoded: readonly Decoded[];
  readonly cpu: number;
  readonly rss: number;
}

interface Plan {
  readonly request: ExecutionRequest;
  /** Outcome of inputs that are refused, by index. */
  readonly refused: readonly (Outcome | undefined)[];
  readonly unit: Unit;
  readonly class: ExecutionClass;
  readonly seeds: number;
}

const MEMORY = 'memory';

export class Executor {
  private readonly pool: Pool;
  private readonly analyser: Analyser;
  private readonly defaults: Limits;

  constructor(pool: Pool, analyser: Analyser, defaults: Limits) {
    this.pool = pool;
    this.analyser = analyser;
    this.defaults = defaults;
  }

  async runMany(requests: readonly ExecutionRequest[]): Promise<readonly ExecutionResult[]> {
    const plans = await this.plan(requests);
    const results = new Map<Plan, UnitResult[]>();
    const collect = (plan: Plan, seed: number, result: UnitResult): void => {
      const list = results.get(plan) ?? [];
      list[seed] = result;
      results.set(plan, list);
    };
    const tasks: Promise<void>[] = [];
    for (let seed = 0; seed < 3; seed++) {
      const mine = plans.filter((plan) => plan.seeds > seed && plan.unit.inputs.length > 0);
      for (const plan of mine) {
        if (plan.class === 'pure') continue;
        const way = plan.class === 'strict' ? this.strict(plan.unit, seed) : this.batched(plan.unit, seed);
        tasks.push(way.then((result) => collect(plan, seed, result)));
      }
      for (const group of groups(mine.filter((plan) => plan.class === 'pure')))
        tasks.push(
          this.pure(
            group.map((plan) => plan.unit),
            seed,
          ).then((all) => group.forEach((plan, i) => collect(plan, seed, all[i] as UnitResult))),
        );
    }
    // All are awaited even when one fails, so that nothing is left running behind the caller's back.
    const failed = (await Promise.allSettled(tasks)).find((task) => task.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return plans.map((plan) => assemble(plan, results.get(plan) ?? []));
  }

  private async plan(requests: readonly ExecutionRequest[]): Promise<readonly Plan[]> {
    const limits = requests.map((request) => check(request, this.defaults));
    const codeRefusals = requests.map(({ code }) => refuseCode(code));
    const open = requests.filter((_, i) => codeRefusals[i] === undefined);
    const prepared = await this.analyser.prepare(open.map(({ code }) => code));
    const byRequest = new Map(open.map((request, i) => [request, prepared[i] as Prepared]));
    return requests.map((request, i) => {
      const { analysis, compiled = '' } = byRequest.get(request) ?? {};
      // A tree too deep for the analysis is left to the interpreter, alone.
      const tooDeep = analysis !== undefined && /^(RecursionError|MemoryError)/.test(analysis.error);
      const whole =
        codeRefusals[i] ??
        (analysis !== undefined && !analysis.parses && !tooDeep
          ? refusal(`code does not parse: ${analysis.error}`)
          : undefined);
      const refused = request.inputs.map((input) => whole ?? refuseInput(input));
      const unit = {
        code: request.code,
        compiled,
        inputs: request.inputs.filter((_, k) => refused[k] === undefined),
        limits: limits[i] as Limits,
      };
      return {
        request,
        refused,
        unit,
        class: chooseClass(request, unit, analysis),
        seeds: request.seeds ?? 1,
      };
    });
  }

  private async strict(unit: Unit, seed: number): Promise<UnitResult> {
    const replies = await Promise.all(
      unit.inputs.map((input) => this.pool.submit(job(unit.limits, [programOf(unit, [input])]), seed)),
    );
    return {
      decoded: replies.map((reply) => decodeSingle(reply, unit.limits.resultBytes)),
      cpu: replies.reduce((sum, reply) => sum + reply.cpu, 0),
      rss: replies.reduce((most, reply) => Math.max(most, reply.rss), 0),
    };
  }

  private async batched(unit: Unit, seed: number): Promise<UnitResult> {
    const decoded: Decoded[] = [];
    let cpu = 0;
    let rss = 0;
    const add = (result: UnitResult): void => {
      decoded.push(...result.decoded);
      cpu += result.cpu;
      rss = Math.max(rss, result.rss);
    };
    while (decoded.length < unit.inputs.length) {
      const inputs = unit.inputs.slice(decoded.length, decoded.length + INPUTS_A_CHILD);
      const rest = { ...unit, inputs };
      if (inputs.length === 1) {
        add(await this.strict(rest, seed));
        continue;
      }
      const reply = await this.pool.submit(job(unit.limits, [programOf(unit, inputs)]), seed);
      const frames = reply.frames.map((frame) => decodeFrame(frame, unit.limits.resultBytes));
      const memory = frames.findIndex(({ outcome }) => outcome.kind === MEMORY);
      const charge = { cpu: reply.cpu, rss: reply.rss };
      if (memory === -1 && isClean(reply, inputs.length)) add({ decoded: frames, ...charge });
      else if (memory === -1 && !reply.broken && reply.end === 'timeout' && frames.length < inputs.length)
        add({ decoded: [...frames, { outcome: { kind: 'timeout' }, key: '' }], ...charge });
      else add(await this.strict(rest, seed));
    }
    return { decoded, cpu, rss };
  }

  private async pure(units: readonly Unit[], seed: number): Promise<readonly UnitResult[]> {
    const first = units[0];
    if (first === undefined) return [];
    if (units.length === 1) return [await this.batched(first, seed)];
    const programs = units.map((unit) => programOf(unit, unit.inputs));
    const expected = programs.reduce((sum, { inputs }) => sum + inputs.length, 0);
    const reply = await this.pool.submit(job(first.limits, programs), seed);
    const decoded = reply.frames.map((frame) => decodeFrame(frame, first.limits.resultBytes));
    if (
      !isClean(reply, expected) ||
      decoded.some(({ outcome }) => outcome.kind === MEMORY || outcome.kind === 'no-result')
    )
      return Promise.all(units.map((unit) => this.batched(unit, seed)));
    let at = 0;
    return units.map(({ inputs }) => {
      const mine = decoded.slice(at, at + inputs.length);
      at += inputs.length;
      return { decoded: mine, cpu: Math.round((reply.cpu * inputs.length) / expected), rss: reply.rss };
    });
  }
}

function programOf({ code, compiled }: Unit, inputs: readonly string[]): JobProgram {
  return compiled === '' ? { code, inputs } : { code: '', compiled, inputs };
}

function job(limits: Limits, programs: Job['programs']): Job {
  return { mode: 'run', ...limits, programs };
}

function refusal(reason: string): Outcome {
  return { kind: 'refused', reason };
}

function check(request: ExecutionRequest, defaults: Limits): Limits {
  if (typeof request.code !== 'string') throw new TypeError(`request ${request.id}: code is no text`);
  if (!Array.isArray(request.inputs) || request.inputs.some((input) => typeof input !== 'string'))
    throw new TypeError(`request ${request.id}: inputs must be a list of texts`);
  if (request.inputs.length > MAX_INPUTS)
    throw new RangeError(
      `request ${request.id} has ${request.inputs.length} inputs; accepted are up to ${MAX_INPUTS}`,
    );
  const seeds: unknown = request.seeds ?? 1;
  if (seeds !== 1 && seeds !== 2 && seeds !== 3)
    throw new RangeError(`request ${request.id}: seeds is ${String(seeds)}; accepted are 1, 2 and 3`);
  return resolveLimits(request.limits, defaults);
}

/** Static refusal of a program: length and NUL. */
export function refuseCode(code: string): Outcome | undefined {
  const bytes = Buffer.byteLength(code);
  if (bytes > MAX_CODE_BYTES) return refusal(`code has ${bytes} bytes; accepted are up to ${MAX_CODE_BYTES}`);
  return code.includes('\0') ? refusal('code contains NUL') : undefined;
}

/** Static refusal of an argument text: length, and anything but literals. */
export function refuseInput(input: string): Outcome | undefined {
  const bytes = Buffer.byteLength(input);
  if (bytes > MAX_INPUT_BYTES)
    return refusal(`input has ${bytes} bytes; accepted are up to ${MAX_INPUT_BYTES}`);
  const literal = isLiteralArguments(input);
  return literal.ok ? undefined : refusal(`input is not a list of literals: ${literal.reason}`);
}

function chooseClass(request: ExecutionRequest, unit: Unit, analysis: Analysis | undefined): ExecutionClass {
  if (request.class === 'strict') return 'strict';
  if (request.class !== 'batched' && analysis?.pure === true && unit.inputs.length <= INPUTS_A_CHILD)
    return 'pure';
  // Asked for a class that the program may not have: the next one that is safe.
  return analysis?.stateless === true ? 'batched' : 'strict';
}

/** Pure programs of equal limits, up to PROGRAMS_A_CHILD together. */
function groups(plans: readonly Plan[]): readonly (readonly Plan[])[] {
  const out: Plan[][] = [];
  const open = new Map<string, { plans: Plan[]; inputs: number }>();
  for (const plan of plans) {
    const { cpuMs, memoryMiB, resultBytes } = plan.unit.limits;
    const key = `${cpuMs} ${memoryMiB} ${resultBytes}`;
    const current = open.get(key);
    const inputs = plan.unit.inputs.length;
    if (
      current === undefined ||
      current.plans.length >= PROGRAMS_A_CHILD ||
      current.inputs + inputs > INPUTS_A_CHILD
    ) {
      const fresh = { plans: [plan], inputs };
      open.set(key, fresh);
      out.push(fresh.plans);
    } else {
      current.plans.push(plan);
      current.inputs += inputs;
    }
  }
  return out;
}

function assemble(plan: Plan, bySeed: readonly UnitResult[]): ExecutionResult {
  let ran = 0;
  const outcomes = plan.refused.map((refused) => {
    if (refused !== undefined) return refused;
    const k = ran++;
    return agree(bySeed.map((result) => result.decoded[k] as Decoded));
  });
  return {
    id: plan.request.id,
    outcomes,
    deterministic: outcomes.every(({ kind }) => kind !== 'nondeterministic'),
    cpuMicros: bySeed.reduce((sum, { cpu }) => sum + cpu, 0),
    maxRssKiB: bySeed.reduce((most, { rss }) => Math.max(most, rss), 0),
  };
}
