/** The broker's jars: pinned, fetched once, wrong ones replaced. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, ROOT, withFolder, withServer, type Jar } from './scripts.js';

const { ensureKafka, KAFKA_VERSION } = await load('kafka.mjs');

const bytesOf = (artifact: string): Buffer => Buffer.from(`the bytes of ${artifact}`);
const jar = (group: string, artifact: string): Jar => ({
  group,
  artifact,
  version: '1.0',
  sha256: createHash('sha256').update(bytesOf(artifact)).digest('hex'),
  bytes: bytesOf(artifact).length,
});
const JARS = [jar('org.apache.kafka', 'kafka_2.13'), jar('org.slf4j', 'slf4j-api')];
const FILES = ['.verified', 'kafka_2.13-1.0.jar', 'slf4j-api-1.0.jar'];

function repository(asked: string[], answer = bytesOf): RequestListener {
  return (request, response) => {
    asked.push(request.url ?? '');
    response.end(answer(path.basename(request.url ?? '').replace('-1.0.jar', '')));
  };
}

describe('ensureKafka', () => {
  it('downloads what is missing, the broker last, and then asks for nothing more', () =>
    withFolder((cacheDir) => {
      const asked: string[] = [];
      return withServer(repository(asked), async (base) => {
        const options = { cacheDir, log: () => undefined, jars: JARS, repository: base };
        expect((await ensureKafka(options)).state).toBe('installed');
        expect(asked).toEqual([
          '/org/slf4j/slf4j-api/1.0/slf4j-api-1.0.jar',
          '/org/apache/kafka/kafka_2.13/1.0/kafka_2.13-1.0.jar',
        ]);
        expect((await readdir(path.join(cacheDir, `kafka-${KAFKA_VERSION}`))).sort()).toEqual(FILES);
        expect((await ensureKafka(options)).state).toBe('present');
        expect(asked).toHaveLength(2);
      });
    }));

  it('replaces a jar with other bytes of the same length, keeps good ones, removes foreign ones', () =>
    withFolder((cacheDir) => {
      const asked: string[] = [];
      return withServer(repository(asked), async (base) => {
        const folder = path.join(cacheDir, `kafka-${KAFKA_VERSION}`);
        await mkdir(folder);
        await writeFile(path.join(folder, 'kafka_2.13-1.0.jar'), bytesOf('kafka_2.13'));
        await writeFile(path.join(folder, 'slf4j-api-1.0.jar'), Buffer.alloc(bytesOf('slf4j-api').length));
        await writeFile(path.join(folder, 'foreign-1.0.jar'), '');
        await ensureKafka({ cacheDir, log: () => undefined, jars: JARS, repository: base });
        expect(asked).toEqual(['/org/slf4j/slf4j-api/1.0/slf4j-api-1.0.jar']);
        expect((await readdir(folder)).sort()).toEqual(FILES);
        expect(await readFile(path.join(folder, 'slf4j-api-1.0.jar'))).toEqual(bytesOf('slf4j-api'));
      });
    }));

  it('refuses a jar with the wrong digest: exit code 3, nothing kept', () =>
    withFolder((cacheDir) =>
      withServer(
        repository([], () => Buffer.from('evil')),
        async (base) => {
          const wanted = ensureKafka({ cacheDir, log: () => undefined, jars: JARS, repository: base });
          await expect(wanted).rejects.toMatchObject({ exitCode: 3 });
          await expect(wanted).rejects.toThrow(/slf4j-api-1\.0\.jar has SHA-256 .* accepted is/);
          expect(await readdir(path.join(cacheDir, `kafka-${KAFKA_VERSION}`))).toEqual([]);
        },
      ),
    ));
});

describe('kafka-jars.json', () => {
  it('pins every jar once, the broker and a logger among them', async () => {
    const file = path.join(ROOT, 'scripts', 'bootstrap', 'kafka-jars.json');
    const jars = JSON.parse(await readFile(file, 'utf8')) as Jar[];
    const names = jars.map(({ group, artifact }) => `${group}:${artifact}`);
    expect(new Set(names).size).toBe(jars.length);
    expect(names).toEqual(expect.arrayContaining(['org.apache.kafka:kafka_2.13', 'org.slf4j:slf4j-simple']));
    for (const { sha256, bytes } of jars) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(bytes).toBeGreaterThan(0);
    }
    expect(jars.find(({ artifact }) => artifact === 'kafka_2.13')?.version).toBe(KAFKA_VERSION);
  });
});
