/**
 * The engine on WebGPU against PyTorch's recorded numbers and against plain script code: the bench `gpu` as a command, and
 * what only a device has. Needs a Vulkan driver, of a graphics card or in software (Debian: mesa-vulkan-drivers).
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { backendName, openNative } from '../../src/policy/engine/backend.js';
import { Graph } from '../../src/policy/engine/graph.js';
import type { NativeTensor } from '../../src/policy/engine/native.js';
import { Operations } from '../../src/policy/engine/operations.js';
import { openDevice } from '../../src/policy/engine/webgpu/device.js';

const BENCH = path.resolve(import.meta.dirname, '../../dist/bench/gpu/index.js');

const found = await openDevice(() => undefined);
const missing = typeof found === 'string' ? found : undefined;
if (typeof found !== 'string') found.close();
else console.warn(`WebGPU is not tested here: ${found}`);

describe.skipIf(missing !== undefined)('WebGPU', () => {
  it.each(['plain', 'parity'])('holds to %s', { timeout: 900_000 }, async (part) => {
    const { stdout } = await promisify(execFile)(process.execPath, [BENCH, '--only', part], {
      env: { ...process.env, AZR_BACKEND: 'webgpu' },
    });
    expect(stdout).toContain('"backend": "webgpu"');
    const [, held, all] = /^(\d+) of (\d+) checks hold$/m.exec(stdout) ?? [];
    expect(held).toBe(all);
    expect(Number(all)).toBeGreaterThan(part === 'plain' ? 7 : 40);
  });

  it('says which adapter it is, and has no bfloat16', async () => {
    const native = await openNative('webgpu');
    const described = native.describe(1);
    expect(described).toMatchObject({ backend: 'webgpu', reason: 'AZR_BACKEND is webgpu' });
    expect(described.adapter).not.toBe('');
    expect(() => native.requireCompute('bfloat16')).toThrow(/webgpu has no such type: accepted is float32/);
    native.close();
  });

  it('takes the first of equal entries, sums nothing to 0, and adds more terms than a kernel binds', async () => {
    const native = await openNative('webgpu');
    const graph = new Graph();
    const o = new Operations(graph);
    const x = graph.placeholder('float');
    const [rows, none] = [graph.placeholder('float'), graph.placeholder('float')];
    const terms = Array.from({ length: 40 }, (_, i) => o.mul(x, graph.scalar(i)));
    const program = native.compile(
      graph,
      [x, rows, none],
      [o.addN(terms), o.argMax(rows, 1), o.matMul(none, none, true)],
    );
    const inputs = [
      native.create(Float32Array.of(1, -2), [2]),
      native.create(Float32Array.of(0, 3, 1, 3, 3, 3, 0, 0), [2, 4]),
      native.create(new Float32Array(0), [0, 2]),
    ];
    const outputs = program.run(inputs);
    const [sum, first, zeros] = await Promise.all(outputs.map((tensor) => native.read(tensor)));
    expect(Array.from(sum ?? [])).toEqual([780, -1560]);
    expect(Array.from(first ?? [])).toEqual([1, 0]);
    expect(Array.from(zeros ?? [])).toEqual([0, 0, 0, 0]);
    native.delete(...inputs, ...outputs);
    expect(native.tensors).toBe(0);
    program.dispose();
    native.close();
  });

  it('refuses a graph that would have to be read in its middle', async () => {
    const native = await openNative('webgpu');
    const graph = new Graph();
    const o = new Operations(graph);
    const x = graph.placeholder('float');
    const count = o.reshape(o.argMax(x, 1), []);
    const program = native.compile(graph, [x], [o.range(count)]);
    const input = native.create(Float32Array.of(1, 2, 3), [1, 3]);
    expect(() => program.run([input])).toThrow(/would be read in the middle of a graph; accepted on webgpu/);
    native.delete(input);
    native.close();
  });

  it('gives no result where the device refused something', async () => {
    const open = await openDevice(() => undefined);
    if (typeof open === 'string') throw new Error(open);
    const { WebgpuBinding } = await import('../../src/policy/engine/webgpu/binding.js');
    const { Native } = await import('../../src/policy/engine/native.js');
    const native = new Native(new WebgpuBinding(open, 'a test'));
    const tensor: NativeTensor = native.create(new Float32Array(128), [128]);
    const { device } = open as unknown as {
      device: { createBuffer(descriptor: object): unknown };
    };
    // A usage that does not exist.
    device.createBuffer({ size: 16, usage: 1 << 20 });
    await expect(native.read(tensor)).rejects.toThrow(/the WebGPU device refused/);
    expect(Array.from(await native.read(tensor))).toEqual(new Array<number>(128).fill(0));
    native.close();
  });
});

describe('the choice of a backend', () => {
  it('accepts four names', () => {
    expect(backendName('webgpu')).toBe('webgpu');
    expect(backendName('')).toBe('auto');
    expect(() => backendName('opencl')).toThrow(
      'AZR_BACKEND is opencl; accepted are auto, cuda, webgpu, cpu',
    );
  });

  it('is TensorFlow, on a CUDA device or on the CPU, where its library is', async () => {
    const native = await openNative('auto');
    const { backend, device, reason } = native.describe(1);
    if (device === 'gpu') expect(reason).toBe('a CUDA device is present');
    else {
      expect(backend).toBe('tfjs-node-gpu');
      expect(reason).toBe("no CUDA device: TensorFlow's CPU kernels");
    }
    native.close();
  });
});
