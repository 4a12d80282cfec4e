/**
 * A Python syntax tree as plain data: what `ast.parse` of Python 3.11 gives, without positions, expression contexts and
 * absent fields. Node and field names are those of Python's grammar (docs.python.org/3.11/library/ast.html).
 */
export interface SyntaxNode {
  readonly kind: string;
  /** In the grammar's order. */
  readonly fields: ReadonlyMap<string, SyntaxField>;
}

/** A constant's Python type and text: a `str`'s own characters, else the ASCII literal; `huge` integers in hexadecimal. */
export interface SyntaxConstant {
  readonly type: string;
  readonly text: string;
}

/** A text is an identifier. */
export type SyntaxItem = SyntaxNode | SyntaxConstant | string;
export type SyntaxField = SyntaxItem | readonly SyntaxItem[];

/** Reads the JSON that the sandbox writes. Throws TypeError where it has another shape. */
export function readSyntaxNode(value: unknown): SyntaxNode {
  const item = readItem(value);
  if (!isNode(item)) throw new TypeError('the syntax tree is no node');
  return item;
}

function readItem(value: unknown): SyntaxItem {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) throw new TypeError('a syntax tree holds no such value');
  const { c, t, _: kind } = value as { c?: unknown; t?: unknown; _?: unknown };
  if (typeof c === 'string' && typeof t === 'string') return { type: c, text: t };
  if (typeof kind !== 'string') throw new TypeError('a node of the syntax tree has no kind');
  const fields = new Map<string, SyntaxField>();
  for (const [name, field] of Object.entries(value)) {
    if (name === '_') continue;
    fields.set(name, Array.isArray(field) ? field.map(readItem) : readItem(field));
  }
  return { kind, fields };
}

export function isNode(value: SyntaxField | undefined): value is SyntaxNode {
  return typeof value === 'object' && 'kind' in value;
}

/** The node in a field; undefined where it is absent or no node. */
export function nodeOf(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const value = node.fields.get(field);
  return isNode(value) ? value : undefined;
}

/** The nodes of a list field; empty where it is absent. */
export function nodesOf(node: SyntaxNode, field: string): readonly SyntaxNode[] {
  const value = node.fields.get(field);
  return Array.isArray(value) ? (value as readonly SyntaxItem[]).filter(isNode) : [];
}

/** The identifier in a field; undefined where it is absent. */
export function nameOf(node: SyntaxNode, field: string): string | undefined {
  const value = node.fields.get(field);
  return typeof value === 'string' ? value : undefined;
}

/** Every node directly below, in order. */
export function childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (const value of node.fields.values()) {
    if (isNode(value)) children.push(value);
    else if (Array.isArray(value)) children.push(...(value as readonly SyntaxItem[]).filter(isNode));
  }
  return children;
}
