/**
 * Cognitive complexity (G. A. Campbell, "Cognitive Complexity", SonarSource 2018), with the rules of complexipy 1.2.0,
 * on which the published measure rests. n is the nesting level:
 *
 *   if, elif      1 + n + operators of the test; the body one level deeper; every statement of else that counts at all
 *                 is counted without n, so that elif and else add no nesting of their own
 *   for, while    1 + n + operators of the iterable or test; the body one level deeper; no else
 *   try           1 an except; body, handlers, else and finally one level deeper; n once if any of them counts
 *   match         the cases' bodies one level deeper; n once if any of them counts
 *   assignment    operators of the value
 *   functions     their body; a function in a function one level deeper. A function of just a function and a return
 *                 counts as that function
 *   classes       the methods at the top level, every statement elsewhere
 *   other         0, bodies of `with`, `async for` and `try ... except*` included
 *
 *   operators     1 a boolean operation, 1 + n a conditional expression; looked for in operands, comparisons,
 *                 arguments and displays, not in lambdas, subscripts or comprehensions
 *
 * Deviations: complexipy subtracts without a sign, so that an `else` of many countable statements at great depth wraps
 * round to about 2^64; here that gives 0. The published code formats with black first, which leaves the tree as it is.
 */
import { nodeOf, nodesOf, type SyntaxNode } from './syntax-tree.js';

const FUNCTIONS: readonly string[] = ['FunctionDef', 'AsyncFunctionDef'];

/** @param module the tree of a whole program. @returns the sum over its statements, an integer from 0. */
export function cognitiveComplexity(module: SyntaxNode): number {
  let total = 0;
  for (const statement of nodesOf(module, 'body')) {
    if (statement.kind === 'ClassDef') {
      for (const member of nodesOf(statement, 'body'))
        if (FUNCTIONS.includes(member.kind)) total += ofStatement(member, 0);
    } else total += ofStatement(statement, 0);
  }
  return Math.max(0, total);
}

function ofStatement(statement: SyntaxNode, nesting: number): number {
  switch (statement.kind) {
    case 'FunctionDef': {
      const [inner, last, ...more] = nodesOf(statement, 'body');
      if (inner?.kind === 'FunctionDef' && last?.kind === 'Return' && more.length === 0)
        return ofStatement(inner, nesting);
      return ofFunction(statement, nesting);
    }
    case 'AsyncFunctionDef':
      return ofFunction(statement, nesting);
    case 'ClassDef':
      return ofBlock(statement, 'body', nesting);
    case 'Assign':
      return operators(nodeOf(statement, 'value'), nesting);
    case 'For':
      return (
        1 + nesting + operators(nodeOf(statement, 'iter'), nesting) + ofBlock(statement, 'body', nesting + 1)
      );
    case 'While':
      return (
        1 + nesting + operators(nodeOf(statement, 'test'), nesting) + ofBlock(statement, 'body', nesting + 1)
      );
    case 'If': {
      let sum =
        1 + nesting + operators(nodeOf(statement, 'test'), nesting) + ofBlock(statement, 'body', nesting + 1);
      for (const other of nodesOf(statement, 'orelse')) {
        const counted = ofStatement(other, nesting);
        if (counted !== 0) sum += counted - nesting;
      }
      return sum;
    }
    case 'Try': {
      const handlers = nodesOf(statement, 'handlers');
      let sum = handlers.length;
      for (const field of ['body', 'orelse', 'finalbody']) sum += ofBlock(statement, field, nesting + 1);
      for (const handler of handlers) sum += ofBlock(handler, 'body', nesting + 1);
      return sum === 0 ? 0 : sum + nesting;
    }
    case 'Match': {
      let sum = 0;
      for (const matchCase of nodesOf(statement, 'cases')) sum += ofBlock(matchCase, 'body', nesting + 1);
      return sum === 0 ? 0 : sum + nesting;
    }
    default:
      return 0;
  }
}

function ofFunction(definition: SyntaxNode, nesting: number): number {
  let sum = 0;
  for (const statement of nodesOf(definition, 'body'))
    sum += ofStatement(statement, FUNCTIONS.includes(statement.kind) ? nesting + 1 : nesting);
  return sum;
}

function ofBlock(node: SyntaxNode, field: string, nesting: number): number {
  return nodesOf(node, field).reduce((sum, statement) => sum + ofStatement(statement, nesting), 0);
}

/** Where operators are looked for, by kind of expression: its fields. */
const LOOKED_INTO: Readonly<Record<string, readonly string[]>> = {
  BoolOp: ['values'],
  UnaryOp: ['operand'],
  Compare: ['left', 'comparators'],
  IfExp: ['test', 'body', 'orelse'],
  Call: ['args'],
  Tuple: ['elts'],
  List: ['elts'],
  Set: ['elts'],
  Dict: ['keys', 'values'],
};

function operators(expression: SyntaxNode | undefined, nesting: number): number {
  if (expression === undefined) return 0;
  let sum = expression.kind === 'BoolOp' ? 1 : expression.kind === 'IfExp' ? 1 + nesting : 0;
  for (const field of LOOKED_INTO[expression.kind] ?? []) {
    const single = nodeOf(expression, field);
    const inner = single === undefined ? nodesOf(expression, field) : [single];
    for (const operand of inner) sum += operators(operand, nesting);
  }
  return sum;
}
