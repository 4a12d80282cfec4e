/** The only element of a single-pair task. */
export function first(texts: readonly string[], taskId: string): string {
  const text = texts[0];
  if (text === undefined) throw new RangeError(`task ${taskId} has no input or output; one is needed`);
  return text;
}
