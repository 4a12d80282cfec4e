/** Presets: YAML files under presets/, parsed, checked, overridden by --set a.b=c, hashed. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { nearest, UsageError } from './errors.js';
import { repositoryRoot } from './paths.js';
import { runConfigSchema, type RunConfig } from './run.js';

export interface ResolvedRunConfig {
  readonly preset: string;
  readonly config: RunConfig;
  /** JSON with sorted keys: what RunStarted carries. */
  readonly json: string;
  /** SHA-256 of `json`. */
  readonly hash: string;
}

const folder = (): string => path.join(repositoryRoot(), 'presets');

export async function presetNames(): Promise<string[]> {
  return (await readdir(folder()))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/**
 * @param name a preset's name, or the path of a YAML file (recognised by its ending).
 * @param overrides texts `a.b=c`; c is read as YAML.
 * @throws UsageError that names the preset, the file's line, or the key with its nearest known one.
 */
export async function resolveRunConfig(
  name: string,
  overrides: readonly string[] = [],
): Promise<ResolvedRunConfig> {
  const isFile = /\.ya?ml$/.test(name);
  const known = await presetNames();
  if (!isFile && !known.includes(name)) {
    const near = nearest(name, known);
    throw new UsageError(
      `preset is ${JSON.stringify(name)}, which does not exist${near === undefined ? '' : `; did you mean ${near}?`} Accepted are ${known.join(', ')}, or the path of a .yaml file.`,
    );
  }
  const file = isFile ? path.resolve(name) : path.join(folder(), `${name}.yaml`);
  const raw = await readYaml(file);
  for (const override of overrides) applyOverride(raw, override);
  const preset = isFile ? path.basename(name).replace(/\.ya?ml$/, '') : name;
  return { preset, ...checkRunConfig(raw, file) };
}

/** @throws UsageError naming each wrong key, what it holds and what would be accepted. */
export function checkRunConfig(raw: unknown, origin: string): Omit<ResolvedRunConfig, 'preset'> {
  const parsed = runConfigSchema.safeParse(raw);
  if (!parsed.success) throw new UsageError(`${origin}: ${describeIssues(parsed.error, raw)}`);
  const json = stableJson(parsed.data);
  return { config: parsed.data, json, hash: createHash('sha256').update(json).digest('hex') };
}

async function readYaml(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const value: unknown = parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UsageError(`${file} holds no mapping of keys to values; a run configuration is one`);
    return value as Record<string, unknown>;
  } catch (error) {
    if (error instanceof YAMLParseError) {
      const at = error.linePos?.[0];
      throw new UsageError(
        `${file}${at === undefined ? '' : `, line ${at.line}, column ${at.col}`} is not YAML: ${error.message.split('\n')[0] ?? ''}`,
      );
    }
    throw error;
  }
}

function applyOverride(raw: Record<string, unknown>, override: string): void {
  const at = override.indexOf('=');
  if (at < 1)
    throw new UsageError(
      `--set is ${JSON.stringify(override)}; accepted is KEY=VALUE, as in learner.clipLow=0.1`,
    );
  const keys = override.slice(0, at).split('.');
  const last = keys.pop() ?? '';
  let node = raw;
  for (const key of keys) {
    const next = node[key];
    if (next === undefined) node[key] = {};
    else if (typeof next !== 'object' || next === null)
      throw new UsageError(`--set ${override}: ${key} holds a value, not a group of keys`);
    node = node[key] as Record<string, unknown>;
  }
  try {
    node[last] = parse(override.slice(at + 1)) as unknown;
  } catch (error) {
    throw new UsageError(
      `--set ${override}: the value is not YAML: ${(error as Error).message.split('\n')[0] ?? ''}`,
    );
  }
}

/** Zod's issues as sentences; an unknown key comes with the nearest known one. */
export function describeIssues(error: z.ZodError, raw: unknown): string {
  return error.issues
    .map((issue) => {
      const at = issue.path.map(String).join('.');
      if (issue.code === 'unrecognized_keys') {
        const known = knownKeys(issue.path);
        return issue.keys
          .map((key) => {
            const near = nearest(key, known);
            const full = at === '' ? key : `${at}.${key}`;
            return `key ${full} is unknown${near === undefined ? '' : `; did you mean ${near}?`} (accepted here: ${known.join(', ')})`;
          })
          .join('; ');
      }
      const value = issue.path.reduce<unknown>(
        (node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key],
        raw,
      );
      return `${at === '' ? 'the whole' : at} is ${value === undefined ? 'missing' : JSON.stringify(value)}: ${issue.message}`;
    })
    .join('; ');
}

function knownKeys(at: readonly PropertyKey[]): string[] {
  let node: unknown = runConfigSchema;
  for (const key of at) node = (node as { shape?: Record<PropertyKey, unknown> }).shape?.[key];
  return Object.keys((node as { shape?: object } | undefined)?.shape ?? {});
}

/** JSON with keys in sorted order, so that equal configurations have equal hashes. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}
