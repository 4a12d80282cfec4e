/**
 * Validation of proposed tasks (arXiv 2505.03335, section 3.3): does the program run, on literal inputs, to the same
 * literal value everywhere? Program integrity, safety (banned modules) and determinism.
 *
 * Deviations from the published code: determinism is agreement of two sandboxes of different hash seed, host name,
 * environment and time (three where the program sees a hash order), not of two calls in one process; what is banned is
 * found in Python's tree (policy.ts); any exception, None (by default), NaN or non-literal result is refused.
 *
 * Of error prediction an exception is an expected outcome, and any value that returns is `NoError`; what has neither (no
 * time left, no memory, a killed process, sandboxes that disagree) is refused like elsewhere.
 */
import { NO_ERROR } from '../tasks/error-prediction.js';
import { MAX_CODE_BYTES, MAX_INPUT_BYTES } from './limits.js';
import type { Execution } from './judge.js';
import { checkPolicy, policyOf, refuseByPolicy, type PolicyName, type StaticPolicy } from './policy.js';
import type { Analysis, ExecutionRequest, ExecutionResult, Limits, Outcome, Sandbox } from './port.js';
import { isLiteralArguments } from './values.js';

export { BANNED_IMPORTS } from './policy.js';

export interface ProposalItem {
  readonly id: string;
  readonly code: string;
  readonly inputs: readonly string[];
  /** What the task is about: the value of each input (default), or the class of the exception raised, if any. */
  readonly expects?: 'value' | 'error';
}

/** The closed list of reasons for which a proposal is refused. */
export const PROPOSAL_REASONS = [
  'code-too-long',
  'nul',
  'unparsable',
  'no-function',
  'banned-import',
  'banned-name',
  'banned-keyword',
  'no-input',
  'input-too-long',
  'not-literal-input',
  'raised',
  'timeout',
  'memory',
  'killed',
  'too-large',
  'not-literal-output',
  'nan',
  'none-output',
  'error-name',
  'nondeterministic',
  'no-result',
  'refused',
] as const;
export type ProposalReason = (typeof PROPOSAL_REASONS)[number];

export type ProposalResult =
  | {
      readonly id: string;
      readonly ok: true;
      /** Literal texts, one an input; of error prediction names of classes. */ readonly outputs: readonly string[];
    }
  | { readonly id: string; readonly ok: false; readonly reason: ProposalReason; readonly detail: string };

export interface ValidateOptions {
  /** Accepts None as a task's output. Default false. */
  readonly allowNone?: boolean;
  /** What the text alone may not have; default `strict`. */
  readonly policy?: PolicyName;
  /** In place of the policy's. */
  readonly bannedImports?: readonly string[];
  /** Keywords of Python, e.g. `raise`; in place of the policy's. */
  readonly bannedKeywords?: readonly string[];
  /** Keywords banned besides where a class of exception is asked for (banned_keywords_for_errors_and_exceptions). */
  readonly bannedErrorKeywords?: readonly string[];
  readonly limits?: Partial<Limits>;
}

/**
 * Validates proposals: results in order, and the executions that were run (equal proposals share one). Throws RangeError
 * for a policy that is none.
 */
export async function validateProposals(
  sandbox: Sandbox,
  items: readonly ProposalItem[],
  options: ValidateOptions = {},
): Promise<{ readonly results: readonly ProposalResult[]; readonly executions: readonly Execution[] }> {
  const policy = chosenPolicy(options);
  const errorPolicy = withKeywords(policy, options.bannedErrorKeywords ?? []);
  const open = items.filter((item) => refuseText(item) === undefined);
  const analyses = await sandbox.analyse(open.map(({ code }) => code));
  const analysisOf = new Map(open.map((item, i) => [item, analyses[i] as Analysis]));
  const refusals = items.map((item) => {
    const analysis = analysisOf.get(item);
    return analysis === undefined
      ? refuseText(item)
      : refuseProgram(analysis, item.expects === 'error' ? errorPolicy : policy);
  });
  const requests = new Map<string, ExecutionRequest>();
  const keyOf = ({ code, inputs }: ProposalItem): string => JSON.stringify([code, inputs]);
  items.forEach((item, i) => {
    if (refusals[i] !== undefined || requests.has(keyOf(item))) return;
    requests.set(keyOf(item), {
      id: item.id,
      code: item.code,
      inputs: item.inputs,
      seeds: analysisOf.get(item)?.ordered === true ? 3 : 2,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
  });
  const list = [...requests.values()];
  const ran = await sandbox.runMany(list);
  const resultOf = new Map([...requests.keys()].map((key, i) => [key, ran[i] as ExecutionResult]));
  const results = items.map((item, i): ProposalResult => {
    const refused = refusals[i];
    if (refused !== undefined) return { id: item.id, ok: false, ...refused };
    const outputs: string[] = [];
    for (const outcome of resultOf.get(keyOf(item))?.outcomes ?? []) {
      const read = item.expects === 'error' ? errorOf(outcome) : valueOf(outcome, options.allowNone ?? false);
      if (typeof read !== 'string') return { id: item.id, ok: false, ...read };
      outputs.push(read);
    }
    return { id: item.id, ok: true, outputs };
  });
  return { results, executions: list.map((request, i) => ({ request, result: ran[i] as ExecutionResult })) };
}

function chosenPolicy({ policy = 'strict', bannedImports, bannedKeywords }: ValidateOptions): StaticPolicy {
  const named = policyOf(policy);
  const chosen = {
    ...named,
    bannedImports: bannedImports ?? named.bannedImports,
    bannedKeywords: bannedKeywords ?? named.bannedKeywords,
  };
  checkPolicy(chosen);
  return chosen;
}

function withKeywords(policy: StaticPolicy, keywords: readonly string[]): StaticPolicy {
  const chosen = { ...policy, bannedKeywords: [...policy.bannedKeywords, ...keywords] };
  checkPolicy(chosen);
  return chosen;
}

interface Refusal {
  readonly reason: ProposalReason;
  readonly detail: string;
}

/** What the texts alone say. */
function refuseText({ code, inputs }: ProposalItem): Refusal | undefined {
  const bytes = Buffer.byteLength(code);
  if (bytes > MAX_CODE_BYTES)
    return { reason: 'code-too-long', detail: `${bytes} bytes; accepted are up to ${MAX_CODE_BYTES}` };
  if (code.includes('\0')) return { reason: 'nul', detail: 'the code contains NUL' };
  if (inputs.length === 0) return { reason: 'no-input', detail: 'at least one input is needed' };
  for (const input of inputs) {
    if (Buffer.byteLength(input) > MAX_INPUT_BYTES)
      return {
        reason: 'input-too-long',
        detail: `${Buffer.byteLength(input)} bytes; accepted are up to ${MAX_INPUT_BYTES}`,
      };
    const literal = isLiteralArguments(input);
    if (!literal.ok) return { reason: 'not-literal-input', detail: literal.reason };
  }
  return undefined;
}

/** What Python's tree of the program says. */
function refuseProgram(analysis: Analysis, policy: StaticPolicy): Refusal | undefined {
  if (!analysis.parses) return { reason: 'unparsable', detail: analysis.error };
  const refused = refuseByPolicy(analysis, policy);
  if (refused !== undefined) return refused;
  if (!analysis.definesF) return { reason: 'no-function', detail: 'the program does not define f' };
  return undefined;
}

/** The literal text of a value, or why there is none. */
function valueOf(outcome: Outcome, allowNone: boolean): string | Refusal {
  switch (outcome.kind) {
    case 'value':
      return outcome.text === 'None' && !allowNone
        ? { reason: 'none-output', detail: 'the result is None' }
        : outcome.text;
    case 'raised':
      return { reason: 'raised', detail: `${outcome.error}: ${outcome.message}`.slice(0, 400) };
    case 'not-literal':
      return { reason: 'not-literal-output', detail: `the result is of type ${outcome.type}` };
    case 'nan':
      return { reason: 'nan', detail: 'the result holds NaN, which equals nothing' };
    case 'timeout':
    case 'memory':
    case 'killed':
    case 'too-large':
    case 'nondeterministic':
    case 'no-result':
    case 'refused':
      return withoutEnd(outcome);
  }
}

/** The class of the exception, or NoError, or why neither is known. A raised class may not be called NoError. */
function errorOf(outcome: Outcome): string | Refusal {
  switch (outcome.kind) {
    case 'raised':
      return IDENTIFIER.test(outcome.error) && outcome.error.toLowerCase() !== NO_ERROR.toLowerCase()
        ? outcome.error
        : { reason: 'error-name', detail: `the class is called ${JSON.stringify(outcome.error)}` };
    case 'value':
    case 'not-literal':
    case 'nan':
      return NO_ERROR;
    case 'timeout':
    case 'memory':
    case 'killed':
    case 'too-large':
    case 'nondeterministic':
    case 'no-result':
    case 'refused':
      return withoutEnd(outcome);
  }
}

/** The harness writes ASCII; a class named otherwise arrives escaped. */
const IDENTIFIER = /^[A-Za-z_]\w*$/;

/** Why a program came to no end that tells something. */
function withoutEnd(
  outcome: Exclude<Outcome, { readonly kind: 'value' | 'raised' | 'not-literal' | 'nan' }>,
): Refusal {
  switch (outcome.kind) {
    case 'killed':
      return { reason: 'killed', detail: `signal ${outcome.signal}` };
    case 'refused':
      return { reason: 'refused', detail: outcome.reason };
    case 'timeout':
    case 'memory':
    case 'too-large':
    case 'nondeterministic':
    case 'no-result':
      return { reason: outcome.kind, detail: DETAILS[outcome.kind] };
  }
}

const DETAILS = {
  timeout: 'the CPU limit was reached',
  memory: 'the memory limit was reached',
  'too-large': 'the result is too large or nested too deeply',
  nondeterministic: 'two sandboxes disagree',
  'no-result': 'the process ended without a result',
} as const;
