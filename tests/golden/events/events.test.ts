/**
 * Bytes of every schema version ever shipped, decoded by the code of today. events.json is written once for a version and
 * then kept: AZR_GOLDEN_EVENTS=write adds the versions that it lacks, and replaces those of AZR_GOLDEN_REPLACE=Type.vN,...
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import { derivedId } from '../../../pipelines/schema-ids.js';
import { encodeEvent, EventDecoder, newestSchema, type SchemaIds } from '../../../pipelines/serde.js';
import { SCHEMA_VERSIONS, type EventType, type SchemaVersion } from '../../../schemas/generated/events.js';
import { exampleEvent } from '../../support/events.js';

interface Golden {
  readonly type: EventType;
  readonly version: number;
  /** The schema as it was shipped. */
  readonly schema: string;
  /** The message as it stands in the log, hexadecimal. */
  readonly bytes: string;
  /** What it says, read by the newest schema. */
  readonly event: unknown;
}

const FILE = fileURLToPath(new URL('./events.json', import.meta.url));
const nameOf = ({ type, version }: Pick<SchemaVersion, 'type' | 'version'>): string => `${type}.v${version}`;

if (process.env['AZR_GOLDEN_EVENTS'] === 'write') {
  const replaced = new Set((process.env['AZR_GOLDEN_REPLACE'] ?? '').split(','));
  const known = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Golden[]) : [];
  const kept = new Map(known.filter((golden) => !replaced.has(nameOf(golden))).map((g) => [nameOf(g), g]));
  for (const shipped of SCHEMA_VERSIONS) {
    // Only the newest version has a writer: an older one's bytes were written while it was the newest.
    if (kept.has(nameOf(shipped)) || newestSchema(shipped.type) !== shipped) continue;
    const event = exampleEvent(shipped.type);
    const ids: SchemaIds = { idOf: ({ schema }) => derivedId(schema), schemaOf: () => undefined };
    kept.set(nameOf(shipped), { ...shipped, bytes: encodeEvent(event, ids).toString('hex'), event });
  }
  const sorted = [...kept.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
}

const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Golden[];
const byName = new Map(GOLDEN.map((golden) => [nameOf(golden), golden]));
/** As the compacted schemas topic knows them: by the id that was derived when they were shipped. */
const schemaById = new Map(GOLDEN.map(({ schema }) => [derivedId(schema), schema]));
const decoder = new EventDecoder({
  idOf: ({ schema }) => derivedId(schema),
  schemaOf: (id) => schemaById.get(id),
});

describe('every schema version ever shipped', () => {
  it.each(SCHEMA_VERSIONS.map((shipped) => [nameOf(shipped), shipped] as const))(
    '%s has golden bytes, and its schema is as it was shipped',
    (name, shipped) => {
      const golden = byName.get(name);
      expect(golden, `${name} is new: AZR_GOLDEN_EVENTS=write writes its bytes`).toBeDefined();
      // Its id is derived from its text, and old messages carry that id: even a comment is a new version.
      expect(JSON.parse(shipped.schema), `${name} was changed after it was shipped; add a version`).toEqual(
        JSON.parse(golden?.schema ?? '{}'),
      );
      expect(derivedId(shipped.schema)).toBe(derivedId(golden?.schema ?? ''));
    },
  );

  it.each(GOLDEN.map((golden) => [nameOf(golden), golden] as const))(
    '%s: its bytes are read by the newest schema',
    (_name, { bytes, event }) => {
      expect(decoder.decode(Buffer.from(bytes, 'hex'))).toEqual({ ok: true, event });
    },
  );

  it('is still among the schemas: no version is taken away', () => {
    const shipped = new Set(SCHEMA_VERSIONS.map(nameOf));
    expect([...byName.keys()].filter((name) => !shipped.has(name))).toEqual([]);
  });
});

describe('backward compatibility', () => {
  it.each(SCHEMA_VERSIONS.map((shipped) => [nameOf(shipped), shipped] as const))(
    'what was written as %s can be read by every later version',
    (_name, { type, version, schema }) => {
      const writer = avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema);
      for (const later of SCHEMA_VERSIONS.filter((other) => other.type === type && other.version >= version))
        expect(() =>
          avsc.Type.forSchema(JSON.parse(later.schema) as avsc.Schema).createResolver(writer),
        ).not.toThrow();
    },
  );

  /** The same check on changes that are made up, so that it is known to fail where it must. */
  const OLD = { type: 'record', name: 'E', fields: [{ name: 'a', type: 'int' }] };
  const readable = (fields: readonly object[]): boolean => {
    try {
      const reader = avsc.Type.forSchema({ ...OLD, fields } as avsc.Schema);
      reader.createResolver(avsc.Type.forSchema(OLD as avsc.Schema));
      return true;
    } catch {
      return false;
    }
  };

  it.each([
    ['a field more, with a default', [...OLD.fields, { name: 'b', type: 'string', default: '' }], true],
    ['a field more, without one', [...OLD.fields, { name: 'b', type: 'string' }], false],
    ['a field less', [], true],
    ['a wider type', [{ name: 'a', type: 'long' }], true],
    ['another type', [{ name: 'a', type: 'string' }], false],
    ['a field renamed with its old name as alias', [{ name: 'b', aliases: ['a'], type: 'int' }], true],
    ['a field renamed', [{ name: 'b', type: 'int' }], false],
  ])('of %s is decided as Avro says', (_change, fields, compatible) => {
    expect(readable(fields)).toBe(compatible);
  });
});

describe('the decoder and schemas that are not of today', () => {
  const newest = JSON.parse(newestSchema('TaskRejected').schema) as { fields: { name: string }[] };
  const decodeAs = (schema: object, record: object): ReturnType<EventDecoder['decode']> => {
    const header = Buffer.from([0, 0, 0, 0, 9]);
    const body = avsc.Type.forSchema(schema as avsc.Schema).toBuffer(record);
    const foreign = { idOf: () => 9, schemaOf: () => JSON.stringify(schema) };
    return new EventDecoder(foreign).decode(Buffer.concat([header, body]));
  };
  const example = exampleEvent('TaskRejected');

  it('reads a later version with one field more: it is left out', () => {
    const later = { ...newest, fields: [...newest.fields, { name: 'novelty', type: 'double' }] };
    const record = { envelope: example.envelope, ...example.data, novelty: 0.5 };
    expect(decodeAs(later, record)).toEqual({ ok: true, event: example });
  });

  it('does not read one that lacks a field without a default, and says which', () => {
    const lacking = { ...newest, fields: newest.fields.filter(({ name }) => name !== 'detail') };
    const decoded = decodeAs(lacking, { envelope: example.envelope, ...example.data });
    expect(decoded).toMatchObject({ ok: false, reason: 'unknown-schema' });
    expect(!decoded.ok && decoded.detail).toMatch(/detail/);
  });
});
