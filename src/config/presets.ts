/**
 * Presets: YAML files under presets/, parsed, joined with a mode's switches and --set a.b=c, checked, hashed.
 *
 * Later wins: the schema's defaults, the switches of `mode`, the file's keys, the overrides in their order.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { nearest, UsageError } from './errors.js';
import { describeIssues } from './issues.js';
import { isGroup, leaves, setAt, valueAt, type Values } from './key-paths.js';
import { isMode, MODE_SWITCHES, MODES, type Mode } from './modes.js';
import { applyOverride } from './overrides.js';
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

/** Where a configuration comes from. */
export interface ConfigOrigin {
  readonly preset: string;
  /** The file, as it was named; of a preset relative to the project. */
  readonly file: string;
  readonly mode: Mode | null;
  readonly overrides: readonly string[];
}

/** `model`: generation_config.json, where a run starts (model-sampling.ts). */
export type KeySource = 'default' | 'model' | 'mode' | 'preset' | 'override';

export interface ResolvedPreset extends ResolvedRunConfig {
  readonly origin: ConfigOrigin;
  /** Who decided each leaf of the configuration, by dotted key. */
  readonly sources: ReadonlyMap<string, KeySource>;
}

const FOLDER = 'presets';
const folder = (): string => path.join(repositoryRoot(), FOLDER);
/** In presets/, but no preset. */
export const PUBLISHED_ARGUMENTS_FILE = 'published-arguments.yaml';

export async function presetNames(): Promise<string[]> {
  return (await readdir(folder()))
    .filter((file) => file.endsWith('.yaml') && file !== PUBLISHED_ARGUMENTS_FILE)
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** The path of presets/published-arguments.yaml. */
export function publishedArgumentsFile(): string {
  return path.join(folder(), PUBLISHED_ARGUMENTS_FILE);
}

/**
 * @param name a preset's name, or the path of a YAML file (recognised by its ending).
 * @param overrides texts `a.b=c`; c is read as YAML.
 * @param mode takes the place of the file's own `mode`; its switches yield to the file's other keys and the overrides.
 * @throws UsageError that names the preset, the file's line, or the key with its nearest known one.
 */
export async function resolveRunConfig(
  name: string,
  overrides: readonly string[] = [],
  mode?: string,
): Promise<ResolvedPreset> {
  const isFile = /\.ya?ml$/.test(name);
  const known = await presetNames();
  if (!isFile && !known.includes(name)) {
    const near = nearest(name, known);
    throw new UsageError(
      `preset is ${JSON.stringify(name)}, which does not exist${near === undefined ? '' : `; did you mean ${near}?`} Accepted are ${known.join(', ')}, or the path of a .yaml file.`,
    );
  }
  const file = isFile ? path.resolve(name) : path.join(folder(), `${name}.yaml`);
  const stated = await readYaml(file);
  const given = structuredClone(stated);
  for (const override of overrides) applyOverride(given, override);
  const chosen = mode === undefined ? modeOf('mode', given['mode'] ?? null) : modeOf('--mode', mode);
  for (const values of [stated, given]) delete values['mode'];
  const preset = isFile ? path.basename(name).replace(/\.ya?ml$/, '') : name;
  const checked = checkRunConfig(chosen === null ? given : merge(switchesOf(chosen), given), file);
  return {
    preset,
    ...checked,
    origin: {
      preset,
      file: isFile ? name : `${FOLDER}/${name}.yaml`,
      mode: chosen,
      overrides: [...overrides],
    },
    sources: sourcesOf(checked.config, { overrides, stated, mode: chosen }),
  };
}

/** @throws UsageError naming each wrong key, what it holds and what would be accepted. */
export function checkRunConfig(raw: unknown, origin: string): Omit<ResolvedRunConfig, 'preset'> {
  const parsed = runConfigSchema.safeParse(raw);
  if (!parsed.success)
    throw new UsageError(`${origin}: ${describeIssues(runConfigSchema, parsed.error, raw)}`);
  const json = stableJson(parsed.data);
  return { config: parsed.data, json, hash: createHash('sha256').update(json).digest('hex') };
}

/** A YAML file that holds a mapping. @throws UsageError naming the file and the line. */
export async function readYaml(file: string): Promise<Values> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const value: unknown = parse(text);
    if (!isGroup(value))
      throw new UsageError(`${file} holds no mapping of keys to values; a run configuration is one`);
    return value;
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

function modeOf(name: string, value: unknown): Mode | null {
  if (value === null || isMode(value)) return value;
  throw new UsageError(`${name} is ${JSON.stringify(value)}; accepted are ${MODES.join(', ')}`);
}

function switchesOf(mode: Mode): Values {
  const values: Values = {};
  for (const [key, value] of Object.entries(MODE_SWITCHES[mode])) setAt(values, key, value);
  return values;
}

/** `over` wins; groups are joined key by key. */
function merge(under: Values, over: Values): Values {
  const joined: Values = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = joined[key];
    joined[key] = isGroup(value) && isGroup(below) ? merge(below, value) : value;
  }
  return joined;
}

function sourcesOf(
  config: RunConfig,
  from: { readonly overrides: readonly string[]; readonly stated: Values; readonly mode: Mode | null },
): Map<string, KeySource> {
  const overridden = from.overrides.map((override) => override.slice(0, override.indexOf('=')));
  const switches = from.mode === null ? {} : MODE_SWITCHES[from.mode];
  const sourceOf = (key: string): KeySource => {
    if (overridden.some((prefix) => key === prefix || key.startsWith(`${prefix}.`))) return 'override';
    if (valueAt(from.stated, key) !== undefined) return 'preset';
    return Object.hasOwn(switches, key) ? 'mode' : 'default';
  };
  return new Map(leaves(config).map(([key]) => [key, sourceOf(key)]));
}

/** JSON with keys in sorted order, so that equal configurations have equal hashes. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}
