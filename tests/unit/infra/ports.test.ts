/** Ports are chosen once and kept; a taken one is named together with who has it. */
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { choosePorts, isFree, ownerOfPort, PORT_KEYS } from '../../../infra/local/ports.js';

const CONFIG = { dataDir: '/somewhere/.azr', ports: {} };
const allFree = (): Promise<boolean> => Promise.resolve(true);
const freeExcept =
  (...taken: readonly number[]) =>
  (port: number): Promise<boolean> =>
    Promise.resolve(!taken.includes(port));

describe('ports', () => {
  it('are distinct, below the ephemeral range, and the same for the same folder', async () => {
    const ports = await choosePorts(CONFIG, undefined, allFree);
    expect(new Set(Object.values(ports)).size).toBe(PORT_KEYS.length);
    for (const port of Object.values(ports)) expect(port >= 21_000 && port < 32_768).toBe(true);
    expect(await choosePorts(CONFIG, undefined, allFree)).toEqual(ports);
    const other = await choosePorts({ ...CONFIG, dataDir: '/elsewhere' }, undefined, allFree);
    expect(other).not.toEqual(ports);
  });

  it('are kept; only the taken one is chosen again', async () => {
    const earlier = await choosePorts(CONFIG, undefined, allFree);
    expect(await choosePorts(CONFIG, earlier, allFree)).toEqual(earlier);
    const again = await choosePorts(CONFIG, earlier, freeExcept(earlier.temporal));
    expect({ ...again, temporal: 0 }).toEqual({ ...earlier, temporal: 0 });
    expect(Object.values(earlier)).not.toContain(again.temporal);
  });

  it('that the configuration fixes are taken as they are, and no other service gets them', async () => {
    const free = await choosePorts(CONFIG, undefined, allFree);
    const fixed = { ...CONFIG, ports: { clickhouse: free.kafka } };
    const ports = await choosePorts(fixed, free, allFree);
    expect(ports.clickhouse).toBe(free.kafka);
    expect(ports.kafka).not.toBe(free.kafka);
  });

  it('fixed twice are refused with exit code 2', async () => {
    const twice = choosePorts({ ...CONFIG, ports: { kafka: 9092, temporal: 9092 } }, undefined, allFree);
    await expect(twice).rejects.toThrow('{"kafka":9092,"temporal":9092}');
    await expect(twice).rejects.toMatchObject({ exitCode: 2 });
  });

  it('in use are refused by port, key, process and what to do', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expect(await isFree(port)).toBe(false);
      expect(ownerOfPort(port)?.pid).toBe(process.pid);
      const refused = choosePorts({ ...CONFIG, ports: { kafka: port } }, undefined);
      await expect(refused).rejects.toThrow(
        `port ${port} (ports.kafka) is in use by process ${process.pid} (`,
      );
      await expect(refused).rejects.toThrow('set ports.kafka in azr.config.yaml to a free port');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await isFree(port)).toBe(true);
    expect(ownerOfPort(port)).toBeUndefined();
  });
});
