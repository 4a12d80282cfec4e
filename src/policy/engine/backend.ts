/**
 * Which backend the engine runs on, by what is there: TensorFlow's kernels on a CUDA device; TensorFlow's session on the CPU;
 * WebGPU on a graphics adapter, which needs its Vulkan driver alone, where TensorFlow's library is not there. Where it is,
 * WebGPU has to be asked for: its sums are not the same from run to run, so that a resumed run is not bit for bit the same,
 * and no card has been measured. So has an adapter that computes on the processor (llvmpipe, SwiftShader).
 */
import { DispatchBinding } from './eager/dispatch.js';
import { loadAddon, Native, sessionBinding, type Binding } from './native.js';

export const BACKENDS = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** The variable that names one of them. */
export const BACKEND_VARIABLE = 'AZR_BACKEND';

/** @throws RangeError naming what is accepted. */
export function backendName(value = process.env[BACKEND_VARIABLE]): BackendName {
  const found = BACKENDS.find((name) => name === (value === undefined || value === '' ? 'auto' : value));
  if (found === undefined)
    throw new RangeError(`${BACKEND_VARIABLE} is ${value ?? ''}; accepted are ${BACKENDS.join(', ')}`);
  return found;
}

/** @throws Error saying what is missing: of the backend that is named, or of all. */
export async function openNative(name = backendName()): Promise<Native> {
  switch (name) {
    case 'cpu':
      return new Native(cpu(`${BACKEND_VARIABLE} is cpu`));
    case 'cuda': {
      const binding = new DispatchBinding(loadAddon(), `${BACKEND_VARIABLE} is cuda`);
      if (!binding.isUsingGpuDevice())
        throw new Error(`${BACKEND_VARIABLE} is cuda, and TensorFlow finds no CUDA device that it can use`);
      return new Native(binding);
    }
    case 'webgpu': {
      const found = await webgpu(true, `${BACKEND_VARIABLE} is webgpu`);
      if (typeof found === 'string') throw new Error(`${BACKEND_VARIABLE} is webgpu: ${found}`);
      return new Native(found);
    }
    case 'auto':
      return firstThere();
  }
}

async function firstThere(): Promise<Native> {
  let hasCuda = false;
  let missing: Error | undefined;
  try {
    hasCuda = loadAddon().isUsingGpuDevice();
  } catch (error) {
    missing = error as Error;
  }
  if (hasCuda) return new Native(new DispatchBinding(loadAddon(), 'a CUDA device is present'));
  if (missing === undefined) return new Native(sessionBinding("no CUDA device: TensorFlow's CPU kernels"));
  const found = await webgpu(false, 'the TensorFlow library is not set up; a graphics adapter is present');
  if (typeof found === 'string') throw missing;
  return new Native(found);
}

/** Hides CUDA devices from the library, which looks for them when it is loaded. */
function cpu(reason: string): Binding {
  process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  return sessionBinding(reason);
}

/** @returns why not, where there is none. */
async function webgpu(acceptsSoftware: boolean, reason: string): Promise<Binding | string> {
  const { openDevice } = await import('./webgpu/device.js');
  const device = await openDevice(({ isSoftware, name }) =>
    isSoftware && !acceptsSoftware
      ? `the only WebGPU adapter computes on the processor (${name})`
      : undefined,
  );
  if (typeof device === 'string') return device;
  const { WebgpuBinding } = await import('./webgpu/binding.js');
  return new WebgpuBinding(device, reason);
}
