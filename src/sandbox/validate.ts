/**
 * Validation of proposed tasks (arXiv 2505.03335, task validation): does the program run, on literal inputs, to the same
 * literal value everywhere? Program integrity, safety (banned modules) and determinism.
 *
 * Deviations from the published code: determinism is agreement of two sandboxes of different hash seed, host name,
 * environment and time (three where the program sees a hash order), not of two calls in one process; what is banned is
 * found in Python's tree (policy.ts); any exception, None (by default), NaN or non-literal result is refused.
 *
 * What a kind of task takes as its output stands in its file (tasks/): a literal, or for error prediction a class.
 */
import { GOLD_REASONS } from '../tasks/gold.js';
import { taskKinds } from '../tasks/index.js';
import type { TaskKind, TaskKindDefinition } from '../tasks/types.js';
import { MAX_CODE_BYTES, MAX_INPUT_BYTES } from './limits.js';
import type { Execution } from './judge.js';
import { checkPolicy, policyOf, refuseByPolicy, type PolicyName, type StaticPolicy } from './policy.js';
import type { Analysis, ExecutionRequest, ExecutionResult, Limits, Sandbox } from './port.js';
import { isLiteralArguments } from './values.js';

export { BANNED_IMPORTS } from './policy.js';

export interface ProposalItem {
  readonly id: string;
  readonly code: string;
  readonly inputs: readonly string[];
  /** What is taken as an output hangs on it; default deduction, whose output is a literal. */
  readonly kind?: TaskKind;
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
  ...GOLD_REASONS,
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
      : refuseProgram(analysis, ruleOf(item).bansErrorKeywords ? errorPolicy : policy);
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
      const gold = ruleOf(item).gold(outcome);
      if (typeof gold !== 'string') return { id: item.id, ok: false, ...gold };
      outputs.push(gold);
    }
    return { id: item.id, ok: true, outputs };
  });
  return { results, executions: list.map((request, i) => ({ request, result: ran[i] as ExecutionResult })) };
}

const ruleOf = ({ kind = 'deduction' }: ProposalItem): TaskKindDefinition['validate'] =>
  taskKinds[kind].validate;

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
