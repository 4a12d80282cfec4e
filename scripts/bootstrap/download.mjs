// Downloads over HTTP(S) with what Node itself has: redirects, HTTP(S)_PROXY and NO_PROXY, a limit on the wait for an
// answer, a pinned SHA-256. A file appears under its name only when it is whole and its digest is right.
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { forwarded, proxyFor, tunnel } from './proxy.mjs';

const MAX_REDIRECTS = 5;

/** The bytes are not the pinned ones. Nothing was kept. */
export class DigestMismatch extends Error {}

/** No answer within the time, refused, or no such host: the source cannot be reached from here. */
export class HostUnreachable extends Error {
  constructor(host, reason) {
    super(`${host} does not answer (${reason})`);
    this.host = host;
  }
}

/** A GET up to the answer's headers, directly or through the environment's proxy. */
async function answerTo(url, { answerMs, env }) {
  const proxy = proxyFor(url, env);
  const options = { headers: { 'user-agent': 'absolute-zero-setup' } };
  if (proxy !== undefined && url.protocol === 'https:') {
    const socket = await tunnel(url, proxy, answerMs);
    Object.assign(options, { createConnection: () => socket, agent: false });
  }
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? https.get(url, options)
        : proxy === undefined
          ? http.get(url, options)
          : http.get(forwarded(url, proxy));
    const timer = setTimeout(() => request.destroy(new Error(`no answer in ${answerMs} ms`)), answerMs);
    const settle = (end) => (value) => {
      clearTimeout(timer);
      end(value);
    };
    request.once('response', settle(resolve)).once('error', settle(reject));
  });
}

/** The response to a GET after its redirects: status 200, headers received, body not yet read. */
async function open(url, options, redirects = 0) {
  let response;
  try {
    response = await answerTo(url, options);
  } catch (error) {
    throw new HostUnreachable(url.host, error.code ?? error.message);
  }
  const { statusCode = 0, headers } = response;
  if (statusCode === 200) return response;
  response.destroy();
  if (statusCode < 300 || statusCode >= 400 || headers.location === undefined)
    throw new Error(`${url.href} answers ${statusCode}`);
  if (redirects === MAX_REDIRECTS) throw new Error(`${url.href} redirects more than ${MAX_REDIRECTS} times`);
  return open(new URL(headers.location, url), options, redirects + 1);
}

/** Ends a body that stands still. The listener goes with the response: kept connections carry several of them. */
function guardIdle(response, idleMs) {
  const { socket } = response;
  const end = () => response.destroy(new Error(`nothing came for ${idleMs} ms`));
  socket.setTimeout(idleMs);
  socket.once('timeout', end);
  response.once('close', () => socket.off('timeout', end));
}

/** A small text. @returns {Promise<string>} */
export async function downloadText(address, { answerMs = 20_000, env = process.env } = {}) {
  const response = await open(new URL(address), { answerMs, env });
  guardIdle(response, 30_000);
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

/**
 * Downloads a file to its place.
 * @param {string} address http or https
 * @param {string} file where it goes; its folder is made
 * @param {{sha256: string, answerMs?: number, attempts?: number, env?: NodeJS.ProcessEnv}} options sha256: hex digest that
 *   the bytes must have; answerMs: the longest wait for the answer's headers; attempts: tries in all when the network fails
 * @throws {DigestMismatch} with the digest found; HostUnreachable; Error with the HTTP status
 */
export async function download(
  address,
  file,
  { sha256, answerMs = 20_000, attempts = 3, env = process.env },
) {
  const url = new URL(address);
  await mkdir(path.dirname(file), { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const partial = `${file}.${process.pid}-${randomUUID().slice(0, 8)}.partial`;
    try {
      const response = await open(url, { answerMs, env });
      guardIdle(response, 60_000);
      const hash = createHash('sha256');
      const hashing = new Transform({
        transform(chunk, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
      });
      await pipeline(response, hashing, createWriteStream(partial));
      const digest = hash.digest('hex');
      if (digest !== sha256)
        throw new DigestMismatch(`${address} has SHA-256 ${digest}; accepted is ${sha256}. Nothing was kept`);
      await rename(partial, file);
      return;
    } catch (error) {
      if (error instanceof DigestMismatch || /answers 4\d\d$/.test(error.message) || attempt >= attempts)
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    } finally {
      await rm(partial, { force: true });
    }
  }
}

/** Hex SHA-256 of a file. */
export async function sha256Of(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
