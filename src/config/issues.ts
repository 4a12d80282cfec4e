/** What is wrong with a run configuration, in sentences: key, value, what is accepted, the nearest known key. */
import type { z } from 'zod';
import { nearest } from './errors.js';
import { isGroup, knownKeys } from './key-paths.js';

/** @param schema what was checked against. @param raw what was checked. */
export function describeIssues(schema: z.ZodType, error: z.ZodError, raw: unknown): string {
  return error.issues.map((issue) => describe(schema, issue, raw)).join('; ');
}

function describe(schema: z.ZodType, issue: z.core.$ZodIssue, raw: unknown): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path, raw);
    return issue.keys
      .map((key) => {
        const near = nearest(key, known);
        const full = at === '' ? key : `${at}.${key}`;
        return `key ${full} is unknown${near === undefined ? '' : `; did you mean ${near}?`} (accepted here: ${known.join(', ')})`;
      })
      .join('; ');
  }
  const value = issue.path.reduce<unknown>(
    (node, key) =>
      isGroup(node) || Array.isArray(node) ? (node as Record<PropertyKey, unknown>)[key] : undefined,
    raw,
  );
  return `${at === '' ? 'the whole' : at} is ${value === undefined ? 'missing' : JSON.stringify(value)}: ${expected(issue)}`;
}

function expected(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return `accepted are ${issue.options.map(String).join(', ')}`;
  return issue.message;
}
