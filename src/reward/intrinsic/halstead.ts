/**
 * Halstead's measures (M. H. Halstead, "Elements of Software Science", 1977), with the rules of radon 6, on which the
 * published measure rests.
 *
 *   operators  of binary, unary and boolean operations, augmented assignments and comparisons, by class: a boolean
 *              operation counts 1, a chain of comparisons each of its own
 *   operands   the expressions they stand between. A name, an attribute or a constant is known by its text or value
 *              within its function's name; any other expression is distinct from all others
 *   with h1, h2 distinct and N1, N2 all operators and operands:
 *   volume = (N1 + N2) log2(h1 + h2)   difficulty = h1 N2 / (2 h2)   effort = difficulty volume
 *
 * Of a function only the body counts. The published measure, in [0, 1], joins them with cyclomatic complexity:
 *
 *   0.5 min(effort / 10000, 1) + 0.3 min(largest cyclomatic complexity / 10, 1) + 0.2 min(volume / 500, 1),
 *   rounded to three places, ties to even
 *
 * Constants are equal where Python's == holds: 1, 1.0 and True are one operand, and so are the name x and the text 'x'.
 */
import { maxCyclomaticComplexity } from './cyclomatic-complexity.js';
import { constantKey, textKey } from './constant-key.js';
import { childrenOf, nameOf, nodeOf, nodesOf, type SyntaxNode } from './syntax-tree.js';

export interface HalsteadMeasures {
  readonly distinctOperators: number;
  readonly distinctOperands: number;
  readonly operators: number;
  readonly operands: number;
  readonly volume: number;
  readonly difficulty: number;
  readonly effort: number;
}

/** The published measure of a whole program. */
export function halstead(module: SyntaxNode): number {
  const { effort, volume } = halsteadMeasures(module);
  const cyclomatic = maxCyclomaticComplexity(module);
  return roundTo3(
    0.5 * Math.min(effort / 10000, 1) + 0.3 * Math.min(cyclomatic / 10, 1) + 0.2 * Math.min(volume / 500, 1),
  );
}

export function halsteadMeasures(module: SyntaxNode): HalsteadMeasures {
  const operatorsSeen = new Set<string>();
  const operandsSeen = new Set<string | SyntaxNode>();
  let operators = 0;
  let operands = 0;
  const visit = (node: SyntaxNode, context: string | null): void => {
    if (node.kind === 'FunctionDef' || node.kind === 'AsyncFunctionDef') {
      for (const child of nodesOf(node, 'body')) visit(child, nameOf(node, 'name') ?? null);
      return;
    }
    const operation = operationOf(node);
    if (operation !== undefined) {
      operators += operation.operators.length;
      operands += operation.operands.length;
      for (const operator of operation.operators) operatorsSeen.add(operator.kind);
      for (const operand of operation.operands) operandsSeen.add(identityOf(operand, context));
    }
    for (const child of childrenOf(node)) visit(child, context);
  };
  visit(module, null);
  const h1 = operatorsSeen.size;
  const h2 = operandsSeen.size;
  const volume = h1 + h2 === 0 ? 0 : (operators + operands) * (Math.log(h1 + h2) / Math.LN2);
  const difficulty = h2 === 0 ? 0 : (h1 * operands) / (2 * h2);
  return {
    distinctOperators: h1,
    distinctOperands: h2,
    operators,
    operands,
    volume,
    difficulty,
    effort: difficulty * volume,
  };
}

interface Operation {
  readonly operators: readonly SyntaxNode[];
  readonly operands: readonly SyntaxNode[];
}

function operationOf(node: SyntaxNode): Operation | undefined {
  const some = (...fields: string[]): SyntaxNode[] =>
    fields.flatMap((field) => {
      const single = nodeOf(node, field);
      return single === undefined ? nodesOf(node, field) : [single];
    });
  switch (node.kind) {
    case 'BinOp':
      return { operators: some('op'), operands: some('left', 'right') };
    case 'UnaryOp':
      return { operators: some('op'), operands: some('operand') };
    case 'BoolOp':
      return { operators: some('op'), operands: some('values') };
    case 'AugAssign':
      return { operators: some('op'), operands: some('target', 'value') };
    case 'Compare':
      return { operators: some('ops'), operands: some('comparators', 'left') };
    default:
      return undefined;
  }
}

/** What makes two operands one. The node itself is equal to nothing else. */
function identityOf(operand: SyntaxNode, context: string | null): string | SyntaxNode {
  let key: string;
  switch (operand.kind) {
    case 'Name':
      key = textKey(nameOf(operand, 'id') ?? '');
      break;
    case 'Attribute':
      key = textKey(nameOf(operand, 'attr') ?? '');
      break;
    case 'Constant':
      key = constantKey(operand.fields.get('value'));
      break;
    default:
      return operand;
  }
  return `${context === null ? '' : `${context}:`}${key}`;
}

/** Python's round(x, 3): the nearest thousandth to the exact double, the even one of two. */
function roundTo3(x: number): number {
  // A double lies half-way between thousandths only where it is an odd number of sixteenths.
  const sixteenths = x * 16;
  if (!Number.isInteger(sixteenths) || sixteenths % 2 === 0) return Number(x.toFixed(3));
  const below = Math.floor(x * 1000);
  return (below % 2 === 0 ? below : below + 1) / 1000;
}
