/** The parts between separators; n separators make n + 1 parts. */
export function split<T>(items: readonly T[], separator: T): T[][] {
  const parts: T[][] = [[]];
  for (const item of items) {
    if (item === separator) parts.push([]);
    else parts.at(-1)?.push(item);
  }
  return parts;
}
