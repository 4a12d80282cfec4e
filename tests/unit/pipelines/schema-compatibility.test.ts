/**
 * BACKWARD_TRANSITIVE: the newest schema of a type reads what every version of it wrote, those of this checkout and every
 * one that was ever committed. A version's file never changes once it is committed.
 */
import { execFileSync } from 'node:child_process';
import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import { DerivedSchemaIds, derivedId } from '../../../pipelines/schema-ids.js';
import { EventDecoder, newestSchema } from '../../../pipelines/serde.js';
import { SCHEMA_VERSIONS, type EventType } from '../../../schemas/generated/events.js';
import { repositoryRoot } from '../../../src/config/paths.js';
import fc from 'fast-check';
import { arbitraryOf, type AvroSchema } from '../../support/events.js';

const git = (...args: string[]): string =>
  execFileSync('git', ['-C', repositoryRoot(), ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  });

interface Committed {
  readonly file: string;
  readonly text: string;
}

/** Every content that a schema's file had in the history; undefined where there is no whole history. */
function everCommitted(): Committed[] | undefined {
  try {
    if (git('rev-parse', '--is-shallow-repository').trim() !== 'false') return undefined;
    const blobs = new Map<string, string>();
    for (const line of git(
      'log',
      '--all',
      '--raw',
      '--no-abbrev',
      '--no-renames',
      '--format=',
      '--',
      'schemas',
    ).split('\n')) {
      const match = /^:\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [AM]\t(schemas\/[^/]+\.avsc)$/.exec(line);
      if (match !== null) blobs.set(match[1] ?? '', match[2] ?? '');
    }
    return [...blobs].map(([blob, file]) => ({ file, text: git('cat-file', 'blob', blob) }));
  } catch {
    return undefined;
  }
}

const committed = everCommitted();
const typeOf = (text: string): string => (JSON.parse(text) as { name: string }).name;

/** Random records of a writer's schema, as bytes, read by the newest schema of the type. */
function readBack(text: string): void {
  const type = typeOf(text) as EventType;
  const writer = avsc.Type.forSchema(JSON.parse(text) as avsc.Schema);
  const reader = avsc.Type.forSchema(JSON.parse(newestSchema(type).schema) as avsc.Schema);
  const resolver = reader.createResolver(writer);
  const records = fc.sample(arbitraryOf(JSON.parse(text) as AvroSchema), { numRuns: 5, seed: 1 });
  for (const record of records) {
    const read = reader.fromBuffer(writer.toBuffer(record), resolver) as Record<string, unknown>;
    const names = new Set(
      (JSON.parse(newestSchema(type).schema) as { fields: { name: string }[] }).fields.map((f) => f.name),
    );
    for (const [name, value] of Object.entries(record as object))
      if (names.has(name)) expect(JSON.stringify(read[name])).toBe(JSON.stringify(value));
  }
}

describe('the newest schema of a type reads', () => {
  it.each(SCHEMA_VERSIONS.map(({ type, version, schema }) => [type, version, schema] as const))(
    '%s, version %i',
    (_type, _version, schema) => readBack(schema),
  );

  it('every version that was ever committed', (context) => {
    if (committed === undefined) {
      const reason = 'there is no git history here (no repository, or a shallow clone)';
      process.stdout.write(`schema history: skipped, ${reason}\n`);
      return context.skip(reason);
    }
    const known = new Set<string>(SCHEMA_VERSIONS.map(({ type }) => type));
    expect(committed.length).toBeGreaterThanOrEqual(22);
    for (const { file, text } of committed) {
      expect({ file, known: known.has(typeOf(text)) }).toEqual({ file, known: true });
      expect(() => readBack(text), file).not.toThrow();
    }
  });
});

describe('a later schema', () => {
  it('that this code cannot read makes its messages dead letters, not errors', () => {
    const schema = JSON.parse(newestSchema('RunPaused').schema) as { fields: { name: string }[] };
    // A field that the reader needs is gone: no default, so no resolution.
    const text = JSON.stringify({ ...schema, fields: schema.fields.filter(({ name }) => name !== 'reason') });
    const id = derivedId(text);
    const decoder = new EventDecoder({
      idOf: (version) => new DerivedSchemaIds([]).idOf(version),
      schemaOf: (asked) => (asked === id ? text : undefined),
    });
    const header = Buffer.alloc(5);
    header.writeUInt32BE(id, 1);
    expect(decoder.decode(Buffer.concat([header, Buffer.alloc(40)]))).toMatchObject({
      ok: false,
      reason: 'unknown-schema',
      detail: expect.stringMatching(/cannot be read: .*reason/) as string,
    });
  });
});

interface Documented {
  readonly name?: string;
  readonly doc?: string;
  readonly type?: unknown;
  readonly fields?: readonly Documented[];
  readonly items?: unknown;
  readonly logicalType?: string;
}

/** Every record, enumeration and field of a schema, by its path. */
function* documented(schema: unknown, at: string): Generator<readonly [string, Documented]> {
  if (Array.isArray(schema)) for (const branch of schema as unknown[]) yield* documented(branch, at);
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return;
  const { name, fields = [], items, type } = schema as Documented;
  if (name !== undefined) yield [`${at} (${name})`, schema];
  for (const field of fields) {
    yield [`${at}.${field.name ?? '?'}`, field];
    yield* documented(field.type, `${at}.${field.name ?? '?'}`);
  }
  yield* documented(items, at);
  if (fields.length === 0) yield* documented(type, at);
}

describe('every schema', () => {
  const all = SCHEMA_VERSIONS.map(({ type, version, schema }) => {
    const found = [...documented(JSON.parse(schema), type)];
    return [`${type}.v${version}`, found] as const;
  });

  it.each(all)('%s says what each record, enumeration and field is', (_name, found) => {
    expect(found.length).toBeGreaterThan(9);
    expect(found.filter(([, { doc = '' }]) => !/\w.*\.$/s.test(doc)).map(([at]) => at)).toEqual([]);
  });

  it.each(all)('%s has units in the names of what is measured', (_name, found) => {
    const units: readonly (readonly [RegExp, RegExp])[] = [
      [/\bmilliseconds?\b/i, /Ms$|At$|DurationsJson$|durationsJson$/],
      [/\bmicroseconds?\b/i, /Micros$/],
      [/\bKiB\b|\bkibibytes?\b/i, /KiB$/],
      [/\bbytes?\b/i, /[bB]ytes$|KiB$/],
    ];
    const unnamed = found.filter(([at, { doc = '', fields }]) =>
      units.some(
        ([unit, name]) => fields === undefined && unit.test(doc) && !name.test(at.split('.').at(-1) ?? ''),
      ),
    );
    expect(unnamed.map(([at, { doc }]) => `${at}: ${doc ?? ''}`)).toEqual([]);
  });
});
