/**
 * A WebGPU device in Node (Dawn, by the package `webgpu`) and TensorFlow.js's webgpu backend on it.
 *
 * That backend was written for browsers: it looks for `navigator.gpu` while it is made, and for WebGPU's classes and
 * constants among the globals always. The device is opened here, not by the backend, whose own way asks for a list of
 * features that is not one, and tells nobody what the device refuses.
 */
import { createRequire } from 'node:module';
import type * as tf from '@tensorflow/tfjs';

/** What is used of an adapter. */
export interface AdapterDescription {
  /** e.g. `NVIDIA H200` */
  readonly name: string;
  /** The driver, or how the adapter is known to its vendor. */
  readonly description: string;
  /** Computed on the processor: llvmpipe, SwiftShader. */
  readonly isSoftware: boolean;
  /** e.g. `webgpu 0.6.2` */
  readonly library: string;
}

export interface OpenDevice {
  readonly adapter: AdapterDescription;
  readonly backend: Backend;
  readonly device: Device;
  readonly close: () => void;
}

/** What of WebGPU's types is used here: the rest is the backend's. */
interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}
interface Adapter {
  readonly info: AdapterInfo;
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: object): Promise<Device>;
}
interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}
export interface Device {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  pushErrorScope(filter: 'validation' | 'out-of-memory' | 'internal'): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}
interface Dawn {
  create(options: readonly string[]): Gpu;
  readonly globals: Readonly<Record<string, unknown>>;
}
/** Buffers that are free are kept by the backend, by size, for ever. */
export interface Backend extends tf.KernelBackend {
  readonly bufferManager: {
    readonly numBytesUsed: number;
    numBytesAllocated: number;
    numFreeBuffers: number;
    readonly freeBuffers: Map<string, { readonly size: number; destroy(): void }[]>;
  };
}

const LIMITS = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBuffersPerShaderStage',
];

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render/i;

/** Dawn is gone with the last of these, whatever its devices are at: held from opening to closing. */
const alive = new Set<Gpu>();

/** Dispatches that go to the device together. */
const DISPATCHES = 64;

async function findAdapter(): Promise<{ adapter: Adapter; globals: Dawn['globals']; gpu: Gpu } | string> {
  let dawn: Dawn;
  try {
    dawn = (await import('webgpu')) as unknown as Dawn;
  } catch (error) {
    return `the package webgpu cannot be loaded (${(error as Error).message.split('\n')[0] ?? ''})`;
  }
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter === null
    ? 'no WebGPU adapter: no Vulkan driver was found'
    : { adapter, globals: dawn.globals, gpu };
}

function described({
  vendor,
  architecture,
  device,
  description,
  isFallbackAdapter,
}: AdapterInfo): AdapterDescription {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const name = [device, description].find((text) => text !== '') ?? `${vendor} ${architecture}`;
  const all = [vendor, architecture, device, description];
  return {
    name,
    description: all.filter((text) => text !== '').join(', '),
    isSoftware: isFallbackAdapter === true || all.some((text) => SOFTWARE.test(text)),
    library: `webgpu ${version}`,
  };
}

/**
 * Makes TensorFlow.js's webgpu backend the current one.
 * @param accepts whether this adapter will do.
 * @returns why not, where there is none.
 */
export async function openDevice(
  accepts: (adapter: AdapterDescription) => string | undefined,
): Promise<OpenDevice | string> {
  const found = await findAdapter();
  if (typeof found === 'string') return found;
  const { adapter, globals, gpu } = found;
  const description = described(adapter.info);
  const refused = accepts(description);
  if (refused !== undefined) return refused;
  alive.add(gpu);
  // Not earlier: where no adapter will do, an engine starts without it.
  const tf = await import('@tensorflow/tfjs');
  const device = await adapter.requestDevice({
    requiredFeatures: ['timestamp-query'].filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit] as number])),
  });
  Object.assign(globalThis, globals);
  // Loaded while there is no navigator.gpu, so that it does not open a device of its own.
  const { WebGPUBackend } = (await import('@tensorflow/tfjs-backend-webgpu')) as unknown as {
    WebGPUBackend: new (device: Device, info: AdapterInfo) => Backend;
  };
  const backend = withNavigator(gpu, () => new WebGPUBackend(device, adapter.info));
  // Small tensors are computed where all others are: results do not depend on what was uploaded before.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', DISPATCHES);
  tf.registerBackend('webgpu', () => backend, 3);
  await tf.setBackend('webgpu');
  return {
    adapter: description,
    backend,
    device,
    close: () => {
      tf.removeBackend('webgpu');
      device.destroy();
      alive.delete(gpu);
    },
  };
}

/** The backend asks for it once, while it is made; what stays among the globals would keep the process alive. */
function withNavigator<T>(gpu: Gpu, make: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  try {
    return make();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator');
    else Object.defineProperty(globalThis, 'navigator', before);
  }
}
