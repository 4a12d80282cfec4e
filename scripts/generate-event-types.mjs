// Writes schemas/generated/events.ts from schemas/*.avsc: one source for the wire and for the compiler.
//
// For each event the newest version gives the type; every version's schema is embedded, so that old bytes can be read.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FILE = /^([a-z-]+)\.v(\d+)\.avsc$/;

/** @param {string} root */
export async function generateEventTypes(root) {
  const folder = path.join(root, 'schemas');
  const versions = [];
  for (const file of (await readdir(folder)).sort()) {
    const match = FILE.exec(file);
    if (match === null) {
      if (file.endsWith('.avsc'))
        throw new Error(
          `schemas/${file} is misnamed; accepted is the-fact.vN.avsc, as in task-accepted.v1.avsc`,
        );
      continue;
    }
    const schema = JSON.parse(await readFile(path.join(folder, file), 'utf8'));
    versions.push({ file, name: schema.name, version: Number(match[2]), schema });
  }
  const newest = new Map();
  for (const entry of versions)
    if ((newest.get(entry.name)?.version ?? 0) < entry.version) newest.set(entry.name, entry);

  const interfaces = new Map();
  for (const { schema, name } of newest.values()) {
    const { fields, doc } = schema;
    const payload = fields.filter((field) => field.name !== 'envelope');
    for (const field of fields) typeOf(field.type, interfaces);
    interfaces.set(name, interfaceText(name, doc, payload, interfaces));
  }
  const names = [...newest.keys()].sort();
  const text = `// Generated from schemas/*.avsc by scripts/generate-event-types.mjs. Do not edit.

${[...interfaces.values()].join('\n\n')}

/** Payloads by type of event. */
export interface EventDataByType {
${names.map((name) => `  readonly ${name}: ${name};`).join('\n')}
}

export type EventType = keyof EventDataByType;

export interface EventOf<T extends EventType> {
  readonly type: T;
  readonly envelope: Envelope;
  readonly data: EventDataByType[T];
}

/** Every event, told apart by \`type\`. */
export type AzrEvent = { [T in EventType]: EventOf<T> }[EventType];

export interface SchemaVersion {
  readonly type: EventType;
  readonly version: number;
  /** The Avro schema, as JSON text. */
  readonly schema: string;
}

/** Every version of every schema ever shipped. */
export const SCHEMA_VERSIONS: readonly SchemaVersion[] = [
${versions
  .map(
    ({ name, version, schema }) =>
      `  { type: ${JSON.stringify(name)}, version: ${version}, schema: ${JSON.stringify(JSON.stringify(schema))} },`,
  )
  .join('\n')}
];
`;
  const target = path.join(folder, 'generated', 'events.ts');
  await mkdir(path.dirname(target), { recursive: true });
  const before = await readFile(target, 'utf8').catch(() => '');
  if (before !== text) await writeFile(target, text);
}

const PRIMITIVES = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Uint8Array',
};

function typeOf(type, interfaces) {
  if (typeof type === 'string') return PRIMITIVES[type] ?? type;
  if (Array.isArray(type)) return type.map((branch) => typeOf(branch, interfaces)).join(' | ');
  switch (type.type) {
    case 'array':
      return `readonly ${wrap(typeOf(type.items, interfaces))}[]`;
    case 'enum':
      interfaces.set(
        type.name,
        `/** ${type.doc} */\nexport type ${type.name} = ${type.symbols.map((symbol) => `'${symbol}'`).join(' | ')};`,
      );
      return type.name;
    case 'record':
      interfaces.set(type.name, interfaceText(type.name, type.doc, type.fields, interfaces));
      return type.name;
    default:
      return typeOf(type.type, interfaces);
  }
}

const wrap = (text) => (text.includes(' ') ? `(${text})` : text);

function interfaceText(name, doc, fields, interfaces) {
  const lines = fields.map(
    (field) => `  /** ${field.doc} */\n  readonly ${field.name}: ${typeOf(field.type, interfaces)};`,
  );
  return `/** ${doc} */\nexport interface ${name} {\n${lines.join('\n')}\n}`;
}
