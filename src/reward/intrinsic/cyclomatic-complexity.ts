/**
 * Cyclomatic complexity (T. J. McCabe, "A Complexity Measure", IEEE TSE 1976) a block, with the rules of radon 6, on
 * which the published measure rests: 1 and
 *
 *   if, conditional expression, assert   1         for, while        1, and 1 for else
 *   try                                  1 a handler, and 1 for else (finally: 0; except*: 0)
 *   boolean operation                    1 less than its operands
 *   comprehension                        1 a `for`, 1 an `if`
 *   match                                1 a case, one less where a case is `_`
 *
 * A function's block is its body without the functions and classes in it, which form no blocks of their own. A class's
 * is its body with its methods, divided by their number and cut to an integer, and 1 more where there are several. Only
 * what stands in a body counts: not decorators, nor default values. Statements outside functions and classes form no
 * block.
 */
import { childrenOf, nodeOf, nodesOf, type SyntaxNode } from './syntax-tree.js';

/** What a walk over statements meets: its own decisions, and the functions and classes that it does not enter. */
interface Walk {
  decisions: number;
  /** Complexity of every function met. */
  readonly functions: number[];
  readonly classes: ClassBlock[];
}

interface ClassBlock {
  /** All of it, its methods included. */
  readonly total: number;
  readonly methods: readonly number[];
}

/** @returns the largest complexity of a function, class or method; 0 where there is none. */
export function maxCyclomaticComplexity(module: SyntaxNode): number {
  const { functions, classes } = walk([module]);
  let max = 0;
  for (const complexity of functions) max = Math.max(max, complexity);
  for (const block of classes) max = Math.max(max, ofClass(block), ...block.methods);
  return max;
}

function walk(nodes: readonly SyntaxNode[]): Walk {
  const found: Walk = { decisions: 0, functions: [], classes: [] };
  const visit = (node: SyntaxNode): void => {
    if (node.kind === 'FunctionDef' || node.kind === 'AsyncFunctionDef') {
      found.functions.push(ofFunction(node));
      return;
    }
    if (node.kind === 'ClassDef') {
      found.classes.push(classBlock(node));
      return;
    }
    found.decisions += decisions(node);
    // An assertion counts by itself; what it asserts is not entered.
    if (node.kind !== 'Assert') childrenOf(node).forEach(visit);
  };
  nodes.forEach(visit);
  return found;
}

function ofFunction(definition: SyntaxNode): number {
  return 1 + walk(nodesOf(definition, 'body')).decisions;
}

function classBlock(definition: SyntaxNode): ClassBlock {
  const { decisions: own, functions } = walk(nodesOf(definition, 'body'));
  return { total: functions.reduce((sum, method) => sum + method, 1 + own), methods: functions };
}

function ofClass({ total, methods }: ClassBlock): number {
  if (methods.length === 0) return total;
  return Math.trunc(total / methods.length) + (methods.length > 1 ? 1 : 0);
}

function decisions(node: SyntaxNode): number {
  const has = (field: string): number => (nodesOf(node, field).length > 0 ? 1 : 0);
  switch (node.kind) {
    case 'If':
    case 'IfExp':
    case 'Assert':
      return 1;
    case 'For':
    case 'AsyncFor':
    case 'While':
      return 1 + has('orelse');
    case 'Try':
      return nodesOf(node, 'handlers').length + has('orelse');
    case 'BoolOp':
      return nodesOf(node, 'values').length - 1;
    case 'comprehension':
      return 1 + nodesOf(node, 'ifs').length;
    case 'Match': {
      const cases = nodesOf(node, 'cases');
      return Math.max(0, cases.length - (cases.some(catchesAll) ? 1 : 0));
    }
    default:
      return 0;
  }
}

/** `case _` or `case name`: a MatchAs without a pattern inside. */
function catchesAll(matchCase: SyntaxNode): boolean {
  const pattern = nodeOf(matchCase, 'pattern');
  return pattern?.kind === 'MatchAs' && nodeOf(pattern, 'pattern') === undefined;
}
