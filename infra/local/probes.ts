/** Is a service there? Questions that only the service itself can answer, not the kernel's accept queue. */
import { connect } from 'node:net';
import type { Probe } from './process-spec.js';

const API_VERSIONS = 18;

/** Sends ApiVersions v0 (Kafka protocol guide), which every broker answers once it is unfenced. */
export function kafkaProbe(host: string, port: number): Probe {
  return (signal) =>
    new Promise<void>((resolve, reject) => {
      const request = Buffer.alloc(14);
      request.writeInt32BE(10, 0); // bytes that follow
      request.writeInt16BE(API_VERSIONS, 4);
      request.writeInt16BE(0, 6); // version
      request.writeInt32BE(1, 8); // correlation id
      request.writeInt16BE(-1, 12); // no client id
      const socket = connect({ host, port, signal });
      socket.once('connect', () => socket.write(request));
      socket.once('data', () => {
        socket.destroy();
        resolve();
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the broker closed the connection')));
    });
}

/** A TCP connection is taken. */
export function tcpProbe(host: string, port: number): Probe {
  return (signal) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port, signal }, () => {
        socket.destroy();
        resolve();
      });
      socket.once('error', reject);
    });
}

/** One of several answers; the first one's reason where none does. */
export function anyProbe(probes: readonly Probe[]): Probe {
  return async (signal) => {
    const results = await Promise.allSettled(probes.map((probe) => probe(signal)));
    const [first] = results;
    if (results.some(({ status }) => status === 'fulfilled') || first?.status !== 'rejected') return;
    throw first.reason;
  };
}

/** GET answers 200, and the text is as expected. */
export function httpProbe(url: string, expected?: (body: string) => boolean): Probe {
  return async (signal) => {
    const response = await fetch(url, { signal });
    const body = await response.text();
    if (!response.ok) throw new Error(`GET ${url} answers ${response.status}`);
    if (expected !== undefined && !expected(body))
      throw new Error(`GET ${url} answers ${JSON.stringify(body.slice(0, 80))}`);
  };
}

/** Splits host:port. */
export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
