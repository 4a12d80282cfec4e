/** presets/published-arguments.yaml: every argument of the published launch scripts, and where it stands here. */
import { z } from 'zod';
import { UsageError } from './errors.js';
import { valueAt } from './key-paths.js';
import { describeIssues } from './issues.js';
import { publishedArgumentsFile, readYaml } from './presets.js';
import type { RunConfig } from './run.js';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const entry = z.union([
  z.strictObject({
    /** Dotted keys of the run configuration that have its value. */
    keys: z.array(z.string()).min(1),
    /** The published value, and those of presets that differ. */
    value: scalar.optional(),
    values: z.record(z.string(), scalar).default({}),
    /** What the published code takes where a script leaves the argument out. */
    default: scalar.optional(),
    map: z.array(z.strictObject({ from: scalar, to: scalar })).optional(),
    times: z.number().optional(),
    mode: z.literal('published').optional(),
    note: z.string().optional(),
  }),
  /** Why it has no key here. */
  z.strictObject({ none: z.string().min(20) }),
]);

const schema = z.strictObject({
  /** Our presets by name, with the published script of each. */
  presets: z.record(z.string(), z.string()),
  arguments: z.record(z.string(), entry),
});

export type PublishedArguments = z.infer<typeof schema>;
export type PublishedArgument = z.infer<typeof entry>;
export type Scalar = z.infer<typeof scalar>;

/** @throws UsageError naming the file and what in it is wrong. */
export async function publishedArguments(): Promise<PublishedArguments> {
  const file = publishedArgumentsFile();
  const raw = await readYaml(file);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw new UsageError(`${file}: ${describeIssues(schema, parsed.error, raw)}`);
  return parsed.data;
}

/** The published value for a preset of ours; undefined for an argument without a key. */
export function publishedValue(argument: PublishedArgument, preset: string): Scalar | undefined {
  if ('none' in argument) return undefined;
  const own = argument.values[preset];
  return own !== undefined ? own : argument.value !== undefined ? argument.value : argument.default;
}

/** The published value as our keys have it. @throws RangeError for a value that `map` does not know. */
export function translated(argument: PublishedArgument, published: Scalar): Scalar {
  if ('none' in argument) throw new TypeError('an argument without a key has no value here');
  if (argument.map !== undefined) {
    const found = argument.map.find(({ from }) => from === published);
    if (found === undefined)
      throw new RangeError(
        `the published value is ${JSON.stringify(published)}; map knows ${argument.map.map(({ from }) => JSON.stringify(from)).join(', ')}`,
      );
    return found.to;
  }
  return argument.times !== undefined && typeof published === 'number'
    ? published * argument.times
    : published;
}

export interface ArgumentLine {
  readonly argument: string;
  /** The published value; null where the argument has no key here. */
  readonly published: Scalar;
  readonly key: string | null;
  /** The key's value in the configuration. */
  readonly value: unknown;
  /** Whether that is the published value; null where the argument has no key. */
  readonly equal: boolean | null;
  readonly note: string;
}

/** Every argument as a preset's configuration has it: a line a key, or one that says why there is none. */
export function argumentLines(all: PublishedArguments, preset: string, config: RunConfig): ArgumentLine[] {
  return Object.entries(all.arguments).flatMap(([argument, entry]): ArgumentLine[] => {
    if ('none' in entry)
      return [{ argument, published: null, key: null, value: null, equal: null, note: entry.none }];
    const published = publishedValue(entry, preset) ?? null;
    return entry.keys.map((key) => {
      const value = valueAt(config, key);
      return {
        argument,
        published,
        key,
        value,
        equal: value === translated(entry, published),
        note: entry.note ?? '',
      };
    });
  });
}
