import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedId, DerivedSchemaIds } from '../../../pipelines/schema-ids.js';
import { encodeEvent, EventDecoder, newestSchema, type SchemaIds } from '../../../pipelines/serde.js';
import { SCHEMA_VERSIONS, type AzrEvent, type EventType } from '../../../schemas/generated/events.js';
import { event, EVENT_TYPES, eventOf, sampleEvents } from '../../support/events.js';

/** Derived ids need no broker until one is unknown. */
const ids = new DerivedSchemaIds([]);
const decoder = new EventDecoder(ids);
const PAUSED = event('RunPaused', { runId: 'r', iteration: 1 }, ['a'], { reason: 'asked' });

describe('events as bytes', () => {
  it.each(EVENT_TYPES)('%s comes back as it was', (type) => {
    fc.assert(
      fc.property(eventOf(type), (given) => {
        const decoded = decoder.decode(encodeEvent(given, ids));
        expect(decoded).toEqual({ ok: true, event: given });
      }),
      { numRuns: 40 },
    );
  });

  it.each(EVENT_TYPES)('%s is framed: magic byte, the schema id in 4 bytes, a body', (type) => {
    const [given] = sampleEvents(type, 1) as [AzrEvent];
    const bytes = encodeEvent(given, ids);
    expect(bytes.readUInt8(0)).toBe(0);
    expect(bytes.readUInt32BE(1)).toBe(derivedId(newestSchema(type).schema));
    expect(bytes.length).toBeGreaterThan(5);
  });

  it('the id in the frame is the one that the ids give', () => {
    const registry: SchemaIds = { idOf: () => 7, schemaOf: () => newestSchema('RunPaused').schema };
    const bytes = encodeEvent(PAUSED, registry);
    expect(bytes.readUInt32BE(1)).toBe(7);
    expect(new EventDecoder(registry).decode(bytes)).toEqual({ ok: true, event: PAUSED });
  });

  it('derived ids are positive 32-bit numbers, one a schema', () => {
    const all = SCHEMA_VERSIONS.map(({ schema }) => derivedId(schema));
    expect(new Set(all).size).toBe(SCHEMA_VERSIONS.length);
    for (const id of all) expect(id > 0 && id < 2 ** 31).toBe(true);
  });
});

describe('what is no event', () => {
  const bytes = encodeEvent(PAUSED, ids);
  const reasonOf = (message: Buffer): string => {
    const decoded = decoder.decode(message);
    return decoded.ok ? 'decoded' : decoded.reason;
  };

  it('is named: too short', () => {
    for (let length = 0; length < 5; length++) expect(reasonOf(bytes.subarray(0, length))).toBe('too-short');
    expect(decoder.decode(bytes.subarray(0, 3))).toMatchObject({
      detail: '3 bytes; a message has at least 5',
    });
  });

  it('is named: bad magic', () => {
    const other = Buffer.from(bytes);
    other.writeUInt8(1, 0);
    expect(decoder.decode(other)).toEqual({
      ok: false,
      reason: 'bad-magic',
      detail: 'first byte is 1; accepted is 0',
    });
  });

  it('is named: unknown schema', () => {
    const other = Buffer.from(bytes);
    other.writeUInt32BE(12345, 1);
    expect(decoder.decode(other)).toEqual({
      ok: false,
      reason: 'unknown-schema',
      detail: 'schema id 12345 is not registered',
    });
  });

  it('is named: a schema of a type that this code does not know', () => {
    const foreign: SchemaIds = {
      idOf: () => 1,
      schemaOf: () => '{"type":"record","name":"Foreign","fields":[]}',
    };
    expect(new EventDecoder(foreign).decode(bytes)).toMatchObject({ ok: false, reason: 'unknown-schema' });
  });

  it.each([
    ['no JSON', '{'],
    ['no schema', '{"type":"record","name":"RunPaused"}'],
    ['lacking a field that has no default', '{"type":"record","name":"RunPaused","fields":[]}'],
  ])('is named: a registered schema that is %s', (_what, schema) => {
    const foreign: SchemaIds = { idOf: () => 1, schemaOf: () => schema };
    expect(new EventDecoder(foreign).decode(bytes)).toMatchObject({ ok: false, reason: 'unknown-schema' });
  });

  it.each(EVENT_TYPES)('is named: %s with its end cut off', (type) => {
    fc.assert(
      fc.property(eventOf(type), fc.nat(), (given, at) => {
        const whole = encodeEvent(given, ids);
        expect(reasonOf(whole.subarray(0, 5 + (at % (whole.length - 5))))).toBe('bad-body');
      }),
      { numRuns: 20 },
    );
  });

  it('is named: bytes behind the body', () => {
    expect(reasonOf(Buffer.concat([bytes, Buffer.from([0])]))).toBe('bad-body');
  });

  it('never throws, whatever the bytes', () => {
    const idsOfTypes = SCHEMA_VERSIONS.map(({ schema }) => derivedId(schema));
    fc.assert(
      fc.property(fc.constantFrom(...idsOfTypes), fc.uint8Array({ maxLength: 200 }), (id, body) => {
        const header = Buffer.alloc(5);
        header.writeUInt32BE(id, 1);
        const decoded = decoder.decode(Buffer.concat([header, body]));
        expect(typeof decoded.ok).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });
});

describe('an event that does not fit its schema', () => {
  const broken = (type: EventType, changes: object, envelope: object = {}): AzrEvent => {
    const [given] = sampleEvents(type, 1) as [AzrEvent];
    return {
      ...given,
      envelope: { ...given.envelope, eventId: 'e1', ...envelope },
      data: { ...given.data, ...changes },
    } as unknown as AzrEvent;
  };

  it.each([
    [
      'RunPaused',
      { reason: 3 },
      {},
      'RunPaused e1 does not fit its schema: reason is 3; accepted is "string"',
    ],
    ['RunPaused', {}, { iteration: 'one' }, 'envelope.iteration is "one"; accepted is "int"'],
    ['RunPaused', {}, { iteration: 2 ** 31 }, 'envelope.iteration is 2147483648; accepted is "int"'],
    ['RunStarted', { seed: 2 ** 60 }, {}, 'seed is 1152921504606847000; accepted is "long"'],
    ['TaskAccepted', { kind: 'guessing' }, {}, 'kind is "guessing"'],
    ['TaskAccepted', { code: undefined }, {}, 'code is undefined; accepted is "string"'],
    [
      'RewardAssigned',
      { attempts: [{ sample: 0, reward: 'much', components: [] }] },
      {},
      'attempts.0.reward is "much"',
    ],
  ] as const)('of type %s with %j %j is refused and the field named', (type, changes, envelope, said) => {
    expect(() => encodeEvent(broken(type, changes, envelope), ids)).toThrow(said);
  });

  it('of an unknown type is refused and the types named', () => {
    const unknown = { ...PAUSED, type: 'RunDreamt' } as unknown as AzrEvent;
    expect(() => encodeEvent(unknown, ids)).toThrow(/type is RunDreamt; accepted are .*RunPaused/);
  });
});
