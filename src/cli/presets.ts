/** `azr presets list | show | diff`: the run configurations that come with the project. */
import type { Command } from 'commander';
import { argumentLines, publishedArguments, type ArgumentLine } from '../config/published-arguments.js';
import { UsageError } from '../config/errors.js';
import { leaves } from '../config/key-paths.js';
import { MODES } from '../config/modes.js';
import { presetNames, resolveRunConfig, type ResolvedPreset } from '../config/presets.js';
import { say, sayJson, table } from './output.js';
import { collect } from './run.js';

interface Choice {
  readonly set: string[];
  readonly mode?: string;
  readonly json?: boolean;
}

export function addPresetCommands(program: Command): void {
  const presets = program
    .command('presets')
    .description('the run configurations that come with the project; without a command: list');

  presets
    .command('list', { isDefault: true })
    .description('all presets')
    .option('--json', 'print an array of {preset, policy, model, mode, iterations, hash}')
    .action(async (options: { json?: boolean }) => {
      const rows = [];
      for (const name of await presetNames()) rows.push(summary(await resolveRunConfig(name)));
      if (options.json === true) sayJson(rows);
      else say(table(rows));
    });

  withChoice(
    presets
      .command('show')
      .description('every key of a preset, its value, and what decided it: default, mode, preset or override')
      .argument('<preset>', 'a preset or a YAML file')
      .option(
        '--arguments',
        'the arguments of the published launch script instead, and the key that each has',
      )
      .option('--json', 'print {origin, hash, config} or an array of arguments'),
  ).action(async (name: string, options: Choice & { arguments?: boolean }) => {
    const resolved = await resolveRunConfig(name, options.set, options.mode);
    if (options.arguments === true) {
      const lines = await argumentsOf(resolved);
      if (options.json === true) sayJson(lines);
      else say(table(lines.map(argumentRow)));
      return;
    }
    const { origin, hash, config, sources } = resolved;
    if (options.json === true) sayJson({ origin, hash, config });
    else {
      say(`${origin.file}, mode ${origin.mode ?? 'none'}, hash ${hash}\n`);
      say(
        table(leaves(config).map(([key, value]) => ({ key, value: shown(value), from: sources.get(key) }))),
      );
    }
  });

  withChoice(
    presets
      .command('diff')
      .description('the keys in which two presets differ')
      .argument('<a>', 'a preset or a YAML file')
      .argument('<b>', 'another')
      .option('--json', 'print an array of {key, a, b}'),
  ).action(async (a: string, b: string, options: Choice) => {
    const rows = configDifferences(
      await resolveRunConfig(a, options.set, options.mode),
      await resolveRunConfig(b, options.set, options.mode),
    );
    if (options.json === true) sayJson(rows);
    else if (rows.length === 0) say(`${a} and ${b} are equal`);
    else say(table(rows.map((row) => ({ key: row.key, [a]: shown(row.a), [b]: shown(row.b) }))));
  });
}

function withChoice(command: Command): Command {
  return command
    .option('--mode <name>', `one of ${MODES.join(', ')}; takes the place of the preset's own`)
    .option('--set <key=value>', 'override a key, as in learner.clipLow=0.1', collect, []);
}

function summary({ preset, config, origin, hash }: ResolvedPreset): Record<string, unknown> {
  const { policy } = config;
  return {
    preset,
    policy: policy.kind,
    model:
      policy.kind === 'tiny' ? `${policy.model.layers} layers of width ${policy.model.width}` : policy.model,
    mode: origin.mode,
    iterations: config.schedule.iterations,
    hash: hash.slice(0, 12),
  };
}

async function argumentsOf({ preset, config }: ResolvedPreset): Promise<ArgumentLine[]> {
  const all = await publishedArguments();
  if (all.presets[preset] === undefined)
    throw new UsageError(
      `preset is ${preset}, which has no published script; --arguments accepts ${Object.keys(all.presets).join(', ')}`,
    );
  return argumentLines(all, preset, config);
}

function argumentRow({ argument, published, key, value, equal, note }: ArgumentLine): Record<string, string> {
  const none = key === null;
  return {
    argument,
    published: none ? '-' : shown(published),
    key: key ?? '-',
    value: none ? '-' : shown(value),
    same: equal === null ? '-' : equal ? 'yes' : 'no',
    note,
  };
}

interface KeyDifference {
  readonly key: string;
  /** undefined: no such key there. */
  readonly a: unknown;
  readonly b: unknown;
}

/** Leaves that differ, in the order of the first, then those that only the second has. */
function configDifferences(a: ResolvedPreset, b: ResolvedPreset): KeyDifference[] {
  const [inA, inB] = [new Map(leaves(a.config)), new Map(leaves(b.config))];
  return [...new Set([...inA.keys(), ...inB.keys()])].flatMap((key) => {
    const row = { key, a: inA.get(key), b: inB.get(key) };
    return JSON.stringify(row.a) === JSON.stringify(row.b) ? [] : [row];
  });
}

/** A value as text, so that a column of them is one of texts; null is a value, nothing is a dash. */
function shown(value: unknown): string {
  return value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
}
