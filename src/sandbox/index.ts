/** The sandbox: hostile Python programs in, honest outcomes out. See docs/SECURITY.md. */
import { Analyser } from './analysis.js';
import { findEnvironment, type EnvironmentOptions } from './environment.js';
import { Executor } from './executor.js';
import { IsolatedInterpreter } from './isolated.js';
import { resolveLimits } from './limits.js';
import { Pool } from './pool.js';
import { Parser } from './syntax.js';
import type { SyntaxNode } from '../reward/intrinsic/syntax-tree.js';
import type { Interpreter, Limits, Sandbox } from './port.js';

export type * from './port.js';
export * from './judge.js';
export * from './validate.js';
export * from './validate-composite.js';
export * from './policy.js';
export { DEFAULT_LIMITS } from './limits.js';
export { equalLiterals, isLiteralArguments, literalKey, parseLiteral } from './values.js';

export interface SandboxOptions extends EnvironmentOptions {
  /** Workers, each with one isolated interpreter a seed. Default 1. */
  readonly workers?: number;
  /** Defaults of executions that name none. */
  readonly limits?: Partial<Limits>;
}

/** The sandbox with what only tests and `azr doctor` ask of it. */
export interface LocalSandbox extends Sandbox {
  /** Process ids of the isolated interpreters. */
  processIds(): Promise<readonly number[]>;
  /** Interpreters started in place of ones that died. */
  readonly restarts: number;
}

/** The machine lacks what the sandbox needs; the message names the remedy. */
export class IsolationUnavailable extends Error {
  /** Something that must be installed is missing. */
  readonly exitCode = 3;
}

const MAX_WORKERS = 256;
const UNSAFE_WARNING =
  'WARNING: the sandbox runs WITHOUT namespaces (unsafeNoIsolation): programs of the model can read every file this ' +
  'user can read. Use it only where everything on this machine is disposable.\n';

/** Results hang on the packages that programs may import: their versions stand beside Python's, as in `3.11.2 numpy 2.4.6`. */
function versionText(python: string, packages: Readonly<Record<string, string>>): string {
  return [python, ...Object.entries(packages).map(([name, version]) => `${name} ${version}`)].join(' ');
}

/** Starts a pool of isolated interpreters. Throws IsolationUnavailable where the machine lacks something. */
export async function createSandbox(options: SandboxOptions = {}): Promise<LocalSandbox> {
  const workers = options.workers ?? 1;
  if (!Number.isInteger(workers) || workers < 1 || workers > MAX_WORKERS)
    throw new RangeError(`workers is ${workers}; accepted are integers from 1 to ${MAX_WORKERS}`);
  const limits = resolveLimits(options.limits);
  const found = await findEnvironment(options);
  if (!found.ok)
    throw new IsolationUnavailable(
      `the sandbox cannot start: ${found.missing} is missing. ${found.remedy}. ` +
        '(--unsafe-no-isolation runs programs without namespaces, where everything on the machine is disposable.)',
    );
  const { environment } = found;
  if (environment.bwrap === null) process.stderr.write(UNSAFE_WARNING);
  const pool = new Pool(environment, workers);
  let facts;
  try {
    ({ facts } = await pool.warmUp());
  } catch (error) {
    await pool.close();
    throw error;
  }
  const interpreter: Interpreter = {
    ...facts,
    version: versionText(facts.version, environment.packages.versions),
    isolation: environment.bwrap === null ? 'none' : 'isolated',
  };
  const analyser = new Analyser((job) => pool.submit(job, 0));
  const parser = new Parser((job) => pool.submit(job, 0));
  const executor = new Executor(pool, analyser, limits);
  return {
    interpreter,
    async run(request) {
      const [result] = await executor.runMany([request]);
      if (result === undefined) throw new Error(`no result for request ${request.id}`);
      return result;
    },
    runMany: (requests) => executor.runMany(requests),
    analyse: (codes) => analyser.analyse(codes),
    trees: (codes) => parser.trees(codes),
    rewrite: (codes) => parser.rewrite(codes),
    processIds: () => pool.processIds(),
    get restarts() {
      return pool.restarts;
    },
    close: () => pool.close(),
  };
}

/** Syntax trees by this sandbox, in order; undefined for what does not parse. */
export function treesIn(
  sandbox: Sandbox,
): (codes: readonly string[]) => Promise<readonly (SyntaxNode | undefined)[]> {
  return async (codes) => (await sandbox.trees(codes)).map((parsed) => (parsed.ok ? parsed.tree : undefined));
}

/** For `azr doctor`: is everything here that isolation needs, and which interpreter answers? Starts and ends one. */
export async function checkIsolation(
  options: EnvironmentOptions = {},
): Promise<
  | { readonly ok: true; readonly interpreter: Interpreter }
  | { readonly ok: false; readonly missing: string; readonly remedy: string }
> {
  const found = await findEnvironment({ ...options, unsafeNoIsolation: false });
  if (!found.ok) return found;
  try {
    const started = await IsolatedInterpreter.start(found.environment, 0);
    const interpreter: Interpreter = { ...started.facts, isolation: 'isolated' };
    await started.close();
    return { ok: true, interpreter };
  } catch (error) {
    return {
      ok: false,
      missing: `an interpreter that starts in isolation (${error instanceof Error ? error.message : String(error)})`,
      remedy: 'see docs/SECURITY.md, "What the machine must have"',
    };
  }
}
