/** SmolLM2's files from a hub: pinned revision, pinned digests; what does not serve is named. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, withFolder, withServer } from './scripts.js';

const { downloadSmollm2 } = await load('smollm2.mjs');
const CONTENTS: Record<string, string> = { 'config.json': '{"a": 1}', 'model.safetensors': 'weights' };
const hub = {
  model: 'OWNER/NAME',
  revision: 'abc',
  size: '1 kB',
  sha256: Object.fromEntries(
    Object.entries(CONTENTS).map(([name, text]) => [name, createHash('sha256').update(text).digest('hex')]),
  ),
};
const sources = ['hub'];

describe('downloadSmollm2', () => {
  it('takes each file at the pinned revision from the endpoint that is set', () =>
    withFolder((work) =>
      withServer(
        (request, response) => {
          const name = /^\/OWNER\/NAME\/resolve\/abc\/([\w.]+)$/.exec(request.url ?? '')?.[1] ?? '';
          if (CONTENTS[name] === undefined) response.writeHead(404).end();
          else response.end(CONTENTS[name]);
        },
        async (base) => {
          const lines: string[] = [];
          const log = (line: string): void => void lines.push(line);
          const env = { HF_ENDPOINT: `${base}/` };
          const got = await downloadSmollm2({ work, cacheDir: work, log, sources, env, hub });
          expect(got).toEqual({
            files: Object.keys(CONTENTS),
            origin: `${new URL(base).host}, revision abc`,
          });
          for (const [name, text] of Object.entries(CONTENTS))
            expect(await readFile(path.join(work, name), 'utf8')).toBe(text);
          expect(lines).toEqual([`downloading OWNER/NAME (1 kB) from ${new URL(base).host}`]);
        },
      ),
    ));

  it('refuses other bytes and says what else can be done', () =>
    withFolder((work) =>
      withServer(
        (_request, response) => response.end('other'),
        async (base) => {
          const env = { HF_ENDPOINT: base };
          const wanted = downloadSmollm2({ work, cacheDir: work, log: () => {}, sources, env, hub });
          await expect(wanted).rejects.toThrow(/SmolLM2 can be had from nowhere \(hub: .*has SHA-256/);
          await expect(wanted).rejects.toThrow('--set policy.path=FOLDER');
          expect(await readdir(work)).toEqual([]);
        },
      ),
    ));

  it('does not ask a hub again that did not answer', () =>
    withFolder(async (work) => {
      const env = { HF_ENDPOINT: 'http://127.0.0.1:1' };
      const ask = () => downloadSmollm2({ work, cacheDir: work, log: () => {}, sources, env, hub });
      await expect(ask()).rejects.toThrow('127.0.0.1:1 does not answer (ECONNREFUSED)');
      await expect(ask()).rejects.toThrow('127.0.0.1:1 did not answer less than a day ago');
    }));
});
