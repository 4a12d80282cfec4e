/**
 * Which programs are refused by what their text imports, names and says, before any run. A policy keeps tasks honest
 * and cheap; it is not the wall: what it overlooks runs in the sandbox all the same.
 *
 *   strict     (default) modules that only bring input, output or chance, by any part of an import or of a member that
 *              is used (`numpy.random`), and names that import or open by themselves
 *   published  the sixteen words of the published code (azr.data_selection_strategy.banned_words); no names
 *
 * An entry without a dot matches any part of an imported path. An entry with dots matches that chain wherever an import
 * or a use holds it: `os.path` is found in `import os.path`, `from os import path` and `os.path.join`. Deviation from the
 * published code, where the dotted entries can never match because single parts are compared.
 */
import type { Analysis } from './port.js';

export interface StaticPolicy {
  /** Modules, or dotted members of modules. */
  readonly bannedImports: readonly string[];
  /** Of the names that the analysis reports: `__import__`, `open`, `input`, `breakpoint`. */
  readonly bannedNames: readonly string[];
  /** Keywords of Python, e.g. `raise` (azr.data_selection_strategy.banned_keywords_for_errors_and_exceptions). */
  readonly bannedKeywords: readonly string[];
  /** Entries without a dot are looked for in members that are used, not in imports alone. */
  readonly banUses: boolean;
}

export const POLICY_NAMES = ['strict', 'published'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** Modules that only bring input, output or chance. */
export const BANNED_IMPORTS: readonly string[] = (
  'asyncio atexit bcrypt builtins calendar concurrent ctypes datetime faulthandler fcntl gc getpass glob hashlib hmac ' +
  'http importlib inspect io logging mmap multiprocessing os pathlib pebble pickle platform pty random resource ' +
  'secrets select shelve shutil signal site socket sqlite3 ssl subprocess sys tempfile threading time timeit traceback ' +
  'tracemalloc urllib uuid weakref _thread'
).split(' ');

/** The published words. */
export const PUBLISHED_BANNED_IMPORTS: readonly string[] = (
  'logging random multiprocessing pebble subprocess threading datetime time hashlib hmac bcrypt os.sys os.path sys.exit ' +
  'os.environ calendar'
).split(' ');

const POLICIES: Readonly<Record<PolicyName, StaticPolicy>> = {
  strict: {
    bannedImports: BANNED_IMPORTS,
    bannedNames: ['__import__', 'open', 'input', 'breakpoint'],
    bannedKeywords: [],
    banUses: true,
  },
  published: {
    bannedImports: PUBLISHED_BANNED_IMPORTS,
    bannedNames: [],
    bannedKeywords: [],
    banUses: false,
  },
};

/** Keywords that the analysis sees and a policy may ban. */
export const BANNABLE_KEYWORDS: readonly string[] = (
  'assert async await break class continue del except finally for global if import lambda match nonlocal pass raise ' +
  'return try while with yield'
).split(' ');

/** A policy by name. Throws RangeError for a name that is none. */
export function policyOf(name: string): StaticPolicy {
  const policy = POLICY_NAMES.find((known) => known === name);
  if (policy === undefined)
    throw new RangeError(`policy is ${JSON.stringify(name)}; accepted are ${POLICY_NAMES.join(', ')}`);
  return POLICIES[policy];
}

/** Throws RangeError for a banned keyword that no program could be found to use. */
export function checkPolicy(policy: StaticPolicy): void {
  const unknown = policy.bannedKeywords.find((keyword) => !BANNABLE_KEYWORDS.includes(keyword));
  if (unknown !== undefined)
    throw new RangeError(
      `bannedKeywords has ${JSON.stringify(unknown)}; accepted are ${BANNABLE_KEYWORDS.join(', ')}`,
    );
  const noModule = policy.bannedImports.find((entry) => !/^[^\W\d]\w*(\.[^\W\d]\w*)*$/u.test(entry));
  if (noModule !== undefined)
    throw new RangeError(
      `bannedImports has ${JSON.stringify(noModule)}; accepted are names of modules, with dots or without`,
    );
}

export interface PolicyRefusal {
  readonly reason: 'banned-import' | 'banned-name' | 'banned-keyword';
  /** What was found, e.g. `os.path.join`. */
  readonly detail: string;
}

/** What of a program a policy refuses; undefined where it may pass. */
export function refuseByPolicy(analysis: Analysis, policy: StaticPolicy): PolicyRefusal | undefined {
  const words = new Set(policy.bannedImports.filter((entry) => !entry.includes('.')));
  const chains = policy.bannedImports.filter((entry) => entry.includes('.')).map((entry) => `.${entry}.`);
  const hasWord = (path: string): boolean => path.split('.').some((part) => words.has(part));
  const hasChain = (path: string): boolean => chains.some((chain) => `.${path}.`.includes(chain));
  const found =
    analysis.imports.find((path) => hasWord(path) || hasChain(path)) ??
    analysis.uses.find((path) => (policy.banUses && hasWord(path)) || hasChain(path));
  if (found !== undefined) return { reason: 'banned-import', detail: found };
  const name = analysis.refused.find((used) => policy.bannedNames.includes(used));
  if (name !== undefined) return { reason: 'banned-name', detail: name };
  const keyword = analysis.keywords.find((used) => policy.bannedKeywords.includes(used));
  return keyword === undefined ? undefined : { reason: 'banned-keyword', detail: keyword };
}
