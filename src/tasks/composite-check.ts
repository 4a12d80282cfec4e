/**
 * What a composite program has to be (the published composite checks), found in Python's own syntax trees:
 *
 *   - it defines `f`, at the top level
 *   - `f` itself calls every given function, each by its name
 *   - names among the arguments of those calls are of `f`: parameters, variables it assigns, targets of comprehensions
 *   - no name of a given function is bound anywhere in it, and no other name that the definitions bind at their top level
 *     is bound at its top level
 *
 * Deviations from the published code, which looks for redefinitions of g_k at the top level only: a parameter or variable
 * of that name hides the function just as well, and a helper or class that a definition relies on must not be replaced
 * either. The same import in both is no replacement. A name inside a larger argument (`g_0(x + K)`) may be the module's.
 */
import { childrenOf, nameOf, nodeOf, nodesOf, type SyntaxNode } from '../reward/intrinsic/syntax-tree.js';
import { compositeName } from './composite.js';

export const COMPOSITE_REASONS = [
  'composite-no-function',
  'composite-not-called',
  'composite-argument',
  'composite-redefined',
] as const;
export type CompositeReason = (typeof COMPOSITE_REASONS)[number];

export interface CompositeRefusal {
  readonly reason: CompositeReason;
  readonly detail: string;
}

/**
 * @param program tree of the proposed program without the definitions.
 * @param definitions trees of the given functions, in the order of their names.
 * @returns undefined where nothing speaks against it.
 */
export function refuseComposite(
  program: SyntaxNode,
  definitions: readonly SyntaxNode[],
): CompositeRefusal | undefined {
  const names = definitions.map((_, k) => compositeName(k));
  const f = nodesOf(program, 'body').findLast(
    (node) => node.kind === 'FunctionDef' && nameOf(node, 'name') === 'f',
  );
  if (f === undefined)
    return { reason: 'composite-no-function', detail: 'the program does not define f at the top level' };

  const hidden = [...boundNames(program, 'everywhere').keys()].find((name) => names.includes(name));
  if (hidden !== undefined)
    return { reason: 'composite-redefined', detail: `${hidden} is a given function; the program binds it` };
  const own = boundNames(program, 'top level');
  for (const definition of definitions)
    for (const [name, origin] of boundNames(definition, 'top level')) {
      const other = own.get(name);
      if (other !== undefined && (other === '' || other !== origin))
        return { reason: 'composite-redefined', detail: `${name} belongs to a given function` };
    }

  const calls = [...bodyNodes(f)].filter((node) => node.kind === 'Call');
  const missing = names.find((name) => !calls.some((call) => calleeOf(call) === name));
  if (missing !== undefined)
    return { reason: 'composite-not-called', detail: `f does not call ${missing} itself` };

  const scope = boundNames(f, 'everywhere');
  for (const call of calls) {
    if (!names.includes(calleeOf(call) ?? '')) continue;
    for (const argument of argumentsOf(call)) {
      const alone = argument.kind === 'Name';
      const odd = namesIn(argument).find((name) => !scope.has(name) && (alone || !own.has(name)));
      if (odd !== undefined)
        return { reason: 'composite-argument', detail: `${odd} is no parameter or variable of f` };
    }
  }
  return undefined;
}

function calleeOf(call: SyntaxNode): string | undefined {
  const callee = nodeOf(call, 'func');
  return callee?.kind === 'Name' ? nameOf(callee, 'id') : undefined;
}

function argumentsOf(call: SyntaxNode): readonly SyntaxNode[] {
  const positional = nodesOf(call, 'args').map((arg) =>
    arg.kind === 'Starred' ? nodeOf(arg, 'value') : arg,
  );
  const named = nodesOf(call, 'keywords').map((keyword) => nodeOf(keyword, 'value'));
  return [...positional, ...named].filter((node) => node !== undefined);
}

/** Names used in an expression, but for those of functions that it calls. */
function namesIn(expression: SyntaxNode): string[] {
  if (expression.kind === 'Name') return [nameOf(expression, 'id') ?? ''];
  const callee = expression.kind === 'Call' ? nodeOf(expression, 'func') : undefined;
  return childrenOf(expression).flatMap((child) =>
    child === callee && child.kind === 'Name' ? [] : namesIn(child),
  );
}

const SCOPES: ReadonlySet<string> = new Set(['FunctionDef', 'AsyncFunctionDef', 'ClassDef', 'Lambda']);

/** What stands in the function itself and not in a function or class inside it. */
function* bodyNodes(node: SyntaxNode): Generator<SyntaxNode, void, undefined> {
  for (const child of childrenOf(node)) {
    yield child;
    if (!SCOPES.has(child.kind)) yield* bodyNodes(child);
  }
}

/**
 * Names that a piece of program binds, and for those that an import binds what it imports (else an empty text). `top
 * level` looks into no function or class, but at what they declare global.
 */
function boundNames(root: SyntaxNode, where: 'top level' | 'everywhere'): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (node: SyntaxNode, module: string): void => {
    for (const name of boundBy(node)) found.set(name, node.kind === 'alias' ? importedBy(node, module) : '');
    const inner = node.kind === 'ImportFrom' ? (nameOf(node, 'module') ?? '') : module;
    if (where === 'everywhere' || node === root || !SCOPES.has(node.kind))
      for (const child of childrenOf(node)) visit(child, inner);
    else for (const name of globalsIn(node)) found.set(name, '');
  };
  visit(root, '');
  return found;
}

/** What an import binds a name to: `import a.b` binds `a` like `import a` does. */
function importedBy(alias: SyntaxNode, module: string): string {
  const name = nameOf(alias, 'name') ?? '';
  const bindsFirst = module === '' && nameOf(alias, 'asname') === undefined;
  return `${module}.${bindsFirst ? (name.split('.')[0] ?? '') : name}`;
}

function globalsIn(node: SyntaxNode): string[] {
  const own = node.kind === 'Global' ? listedNames(node) : [];
  return [...own, ...childrenOf(node).flatMap(globalsIn)];
}

function listedNames(node: SyntaxNode): string[] {
  const names = node.fields.get('names');
  return Array.isArray(names)
    ? names.filter((name: unknown): name is string => typeof name === 'string')
    : [];
}

/** Names that this node binds by itself (the trees carry no contexts: what is assigned is told by its place). */
function boundBy(node: SyntaxNode): string[] {
  switch (node.kind) {
    case 'FunctionDef':
    case 'AsyncFunctionDef':
    case 'ClassDef':
    case 'ExceptHandler':
    case 'MatchAs':
    case 'MatchStar':
      return present(nameOf(node, 'name'));
    case 'MatchMapping':
      return present(nameOf(node, 'rest'));
    case 'arg':
      return present(nameOf(node, 'arg'));
    case 'alias':
      return present(nameOf(node, 'asname') ?? nameOf(node, 'name')?.split('.')[0]);
    case 'Global':
    case 'Nonlocal':
      return listedNames(node);
    case 'Assign':
    case 'Delete':
      return nodesOf(node, 'targets').flatMap(targetNames);
    case 'AugAssign':
    case 'AnnAssign':
    case 'For':
    case 'AsyncFor':
    case 'comprehension':
    case 'NamedExpr':
      return targetNames(nodeOf(node, 'target'));
    case 'withitem':
      return targetNames(nodeOf(node, 'optional_vars'));
    default:
      return [];
  }
}

function targetNames(target: SyntaxNode | undefined): string[] {
  if (target === undefined) return [];
  switch (target.kind) {
    case 'Name':
      return present(nameOf(target, 'id'));
    case 'Tuple':
    case 'List':
      return nodesOf(target, 'elts').flatMap(targetNames);
    case 'Starred':
      return targetNames(nodeOf(target, 'value'));
    default:
      return [];
  }
}

const present = (name: string | undefined): string[] => (name === undefined ? [] : [name]);
