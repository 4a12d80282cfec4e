/** A file is there only when it is whole and its bytes are the pinned ones. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, withFolder, withServer } from './scripts.js';

const { download, downloadText, DigestMismatch, HostUnreachable } = await load('download.mjs');
const { proxyFor } = await load('proxy.mjs');
const BODY = Buffer.from('what was published');
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const direct = { env: {} };

describe('download', () => {
  it('follows redirects and puts the file in place', () =>
    withFolder((folder) =>
      withServer(
        (request, response) => {
          if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
          else response.end(BODY);
        },
        async (base) => {
          const file = path.join(folder, 'deep', 'file');
          await download(`${base}/old`, file, { sha256: SHA256, ...direct });
          expect(await readFile(file)).toEqual(BODY);
          expect(await readdir(path.dirname(file))).toEqual(['file']);
        },
      ),
    ));

  it('refuses other bytes, names both digests and keeps nothing', () =>
    withFolder((folder) =>
      withServer(
        (_request, response) => response.end('something else'),
        async (base) => {
          const wanted = download(`${base}/x`, path.join(folder, 'x'), { sha256: SHA256, ...direct });
          await expect(wanted).rejects.toThrow(DigestMismatch);
          await expect(wanted).rejects.toThrow(`accepted is ${SHA256}`);
          expect(await readdir(folder)).toEqual([]);
        },
      ),
    ));

  it('tries again after a connection that broke half-way', () =>
    withFolder((folder) => {
      let requests = 0;
      return withServer(
        (_request, response) => {
          requests += 1;
          if (requests > 1) return void response.end(BODY);
          response.writeHead(200, { 'content-length': BODY.length });
          response.write(BODY.subarray(0, 5), () => response.destroy());
        },
        async (base) => {
          await download(`${base}/x`, path.join(folder, 'x'), { sha256: SHA256, ...direct });
          expect(requests).toBe(2);
          expect(await readdir(folder)).toEqual(['x']);
        },
      );
    }));

  it('does not ask again where the server says that there is nothing', () =>
    withFolder((folder) => {
      let requests = 0;
      return withServer(
        (_request, response) => {
          requests += 1;
          response.writeHead(404).end();
        },
        async (base) => {
          const wanted = download(`${base}/x`, path.join(folder, 'x'), { sha256: SHA256, ...direct });
          await expect(wanted).rejects.toThrow(`${base}/x answers 404`);
          expect(requests).toBe(1);
        },
      );
    }));

  it('calls a silent server and a closed port unreachable', async () => {
    let closed = '';
    await withServer(
      () => undefined,
      async (base) => {
        closed = base;
        await expect(downloadText(base, { answerMs: 50, ...direct })).rejects.toThrow(HostUnreachable);
      },
    );
    await expect(downloadText(closed, direct)).rejects.toThrow(/does not answer \(ECONNREFUSED\)/);
  });

  it('goes through HTTP_PROXY with the whole address', () =>
    withServer(
      (request, response) => response.end(`${request.url} for ${request.headers.host}`),
      async (base) => {
        const text = await downloadText('http://example.invalid/a', { env: { HTTP_PROXY: base } });
        expect(text).toBe('http://example.invalid/a for example.invalid');
      },
    ));
});

describe('proxyFor', () => {
  const env = { HTTPS_PROXY: 'proxy.invalid:3128', NO_PROXY: 'localhost, .internal.invalid,*.other.invalid' };
  it.each([
    ['https://a.invalid/', 'http://proxy.invalid:3128/'],
    ['http://a.invalid/', undefined],
    ['https://localhost/', undefined],
    ['https://x.internal.invalid/', undefined],
    ['https://x.other.invalid/', undefined],
    ['https://notinternal.invalid/', 'http://proxy.invalid:3128/'],
  ])('%s goes by %s', (address, proxy) => {
    expect(proxyFor(new URL(address), env)?.href).toBe(proxy);
  });
});
