// The Kafka broker: the jars as Apache publishes them on Maven Central, each pinned by SHA-256 in kafka-jars.json
// (kafka_2.13 with its run-time dependencies, and slf4j-simple for its log). No Maven is needed.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DigestMismatch, download, HostUnreachable, sha256Of } from './download.mjs';
import { reasonOf, SetupError } from './setup-error.mjs';

export const KAFKA_VERSION = '4.4.0';
const LIST = new URL('./kafka-jars.json', import.meta.url);
const REPOSITORY = 'https://repo.maven.apache.org/maven2';
const PARALLEL = 8;
/** Digest of the list whose every jar was found right; while it stands only sizes are looked at. */
const VERIFIED = '.verified';

const nameOf = (jar) => `${jar.artifact}-${jar.version}.jar`;
const pathOf = (jar) => `${jar.group.replaceAll('.', '/')}/${jar.artifact}/${jar.version}/${nameOf(jar)}`;
const sizeOf = (file) => stat(file).then((found) => found.size, () => -1); // prettier-ignore

/** Jars that are absent, of another size, or (where the folder was not verified yet) of another digest. */
async function wantedJars(folder, jars, listDigest) {
  const verified = await readFile(path.join(folder, VERIFIED), 'utf8').catch(() => '');
  const trusted = verified.trim() === listDigest;
  const found = await Promise.all(
    jars.map(async (jar) => {
      const file = path.join(folder, nameOf(jar));
      if ((await sizeOf(file)) !== jar.bytes) return false;
      return trusted || (await sha256Of(file)) === jar.sha256;
    }),
  );
  return { trusted, wanted: jars.filter((_, i) => !found[i]) };
}

async function inParallel(items, limit, work) {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}

/**
 * The jars flat in <cache>/kafka-<version>/.
 * @param {{cacheDir: string, log: (line: string) => void, jars?: object[], repository?: string}} options
 * @returns {Promise<{state: 'present' | 'installed', detail: string}>}
 */
export async function ensureKafka({ cacheDir, log, jars, repository = REPOSITORY }) {
  const text = jars === undefined ? await readFile(LIST, 'utf8') : JSON.stringify(jars);
  const listDigest = createHash('sha256').update(text).digest('hex');
  const list = jars ?? JSON.parse(text);
  const folder = path.join(cacheDir, `kafka-${KAFKA_VERSION}`);
  const { trusted, wanted } = await wantedJars(folder, list, listDigest);
  const detail = `Kafka ${KAFKA_VERSION}, ${list.length} jars`;
  if (trusted && wanted.length === 0) return { state: 'present', detail };
  if (wanted.length > 0) {
    const megabytes = wanted.reduce((sum, jar) => sum + jar.bytes, 0) / 1e6;
    log(`downloading ${wanted.length} jars (${megabytes.toFixed(0)} MB) from ${new URL(repository).host}`);
    const fetchJar = (jar) =>
      download(`${repository}/${pathOf(jar)}`, path.join(folder, nameOf(jar)), { sha256: jar.sha256 });
    // The broker's own jar last: the stack takes it as the sign that the folder is whole.
    const isBroker = (jar) => jar.artifact.startsWith('kafka_');
    try {
      await inParallel(wanted.filter((jar) => !isBroker(jar)), PARALLEL, fetchJar); // prettier-ignore
      await inParallel(wanted.filter(isBroker), 1, fetchJar);
    } catch (error) {
      throw asSetupError(error);
    }
  }
  // The class path is `*`: a foreign jar in the folder would be on it.
  const names = new Set(list.map(nameOf));
  for (const file of await readdir(folder))
    if (file.endsWith('.jar') && !names.has(file)) await rm(path.join(folder, file));
  await writeFile(path.join(folder, VERIFIED), `${listDigest}\n`);
  return { state: wanted.length === 0 ? 'present' : 'installed', detail };
}

function asSetupError(error) {
  const remedy =
    error instanceof DigestMismatch
      ? 'have the mirror or proxy between you and Maven Central checked, then npm start again'
      : error instanceof HostUnreachable
        ? 'npm start again with a network that reaches Maven Central (HTTPS_PROXY is honoured), or name your own broker: AZR_KAFKA_BROKERS=host:9092'
        : 'npm start again';
  return new SetupError(`the Kafka broker cannot be fetched: ${reasonOf(error)}`, remedy, { cause: error });
}
