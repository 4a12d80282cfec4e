/**
 * A syntax tree as the text that the published edit distance compares: what Python's json.dumps(..., indent=2,
 * sort_keys=True) writes of {node_type, fields}. None and contexts are left out, and lists keep nodes only (names in
 * `global`, absent keys of a dictionary display fall away).
 */
import { isNode, type SyntaxConstant, type SyntaxNode } from './syntax-tree.js';

/** A tree with a constant that JSON has no text for: bytes, complex, Ellipsis, an integer over 4300 digits. */
export class NoJsonText extends Error {
  override readonly name = 'NoJsonText';
}

/** ASCII text. Throws NoJsonText. */
export function astText(module: SyntaxNode): string {
  const parts: string[] = [];
  writeNode(module, '\n  ', parts);
  return parts.join('');
}

/** `newline` is a line break and the indentation of the node's own keys. */
function writeNode(node: SyntaxNode, newline: string, parts: string[]): void {
  const names = [...node.fields.keys(), 'node_type'].sort();
  names.forEach((name, i) => {
    parts.push(i === 0 ? '{' : ',', newline, quote(name), ': ');
    const value = node.fields.get(name);
    if (value === undefined) parts.push(quote(node.kind));
    else if (typeof value === 'string') parts.push(quote(value));
    else if (isNode(value)) writeNode(value, `${newline}  `, parts);
    else if ('text' in value) parts.push(constantText(value));
    else writeList(value.filter(isNode), newline, parts);
  });
  parts.push(newline.slice(0, -2), '}');
}

function writeList(items: readonly SyntaxNode[], newline: string, parts: string[]): void {
  if (items.length === 0) {
    parts.push('[]');
    return;
  }
  items.forEach((item, i) => {
    parts.push(i === 0 ? '[' : ',', newline, '  ');
    writeNode(item, `${newline}    `, parts);
  });
  parts.push(newline, ']');
}

function constantText({ type, text }: SyntaxConstant): string {
  switch (type) {
    case 'str':
      return quote(text);
    case 'bool':
      return text === 'True' ? 'true' : 'false';
    case 'int':
      return text;
    case 'float':
      return text === 'inf' ? 'Infinity' : text;
    default:
      throw new NoJsonText(`a constant of type ${type === 'huge' ? 'int, too long' : type} has no JSON text`);
  }
}

/** A JSON string in ASCII, as Python escapes it. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
