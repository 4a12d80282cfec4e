/**
 * The engine on WebGPU: the public API's interpreter (eager/), whose kernels are queued on the device; only what is asked
 * for is waited for. What the device refuses comes to light with the next read, and is never a result.
 */
import type { BackendInfo } from '../../port.js';
import { EagerBinding, type Data } from '../eager/binding.js';
import type { OpenDevice } from './device.js';

/** Bytes that the backend may keep in free buffers: sizes change as caches grow, and a free buffer serves its size alone. */
const FREE_BYTES = 2 ** 30;

const FILTERS = ['validation', 'out-of-memory', 'internal'] as const;

export class WebgpuBinding extends EagerBinding {
  readonly conditionsFollowShapes = true;
  readonly #open: OpenDevice;
  readonly #reason: string;
  #lost: string | undefined;
  #closed = false;

  constructor(open: OpenDevice, reason: string) {
    super();
    this.#open = open;
    this.#reason = reason;
    void open.device.lost.then(({ message }) => (this.#lost = message));
    this.#watch();
  }

  override describe(): Pick<BackendInfo, 'backend' | 'device' | 'library' | 'reason' | 'adapter'> {
    const { adapter } = this.#open;
    return {
      backend: 'webgpu',
      device: adapter.isSoftware ? 'cpu' : 'gpu',
      library: `${super.describe().library}, ${adapter.library}`,
      adapter: adapter.description,
      reason: this.#reason,
    };
  }

  override async tensorData(id: number): Promise<Data> {
    const reading = this.tensorOf(id).data<'float32'>();
    const refusals = this.#refusals();
    const [data] = await Promise.all([reading, refusals]);
    this.#trim();
    return data.slice();
  }

  #watch(): void {
    for (const filter of FILTERS) this.#open.device.pushErrorScope(filter);
  }

  /** What the device refused since the last time. */
  async #refusals(): Promise<void> {
    const { device } = this.#open;
    const popped = FILTERS.map(() => device.popErrorScope());
    this.#watch();
    for (const error of await Promise.all(popped))
      if (error !== null) throw new Error(`the WebGPU device refused: ${error.message}`);
    if (this.#lost !== undefined && !this.#closed)
      throw new Error(`the WebGPU device is lost: ${this.#lost}`);
  }

  #trim(): void {
    const { bufferManager } = this.#open.backend;
    if (bufferManager.numBytesAllocated - bufferManager.numBytesUsed <= FREE_BYTES) return;
    for (const buffers of bufferManager.freeBuffers.values())
      for (const buffer of buffers.splice(0)) {
        buffer.destroy();
        bufferManager.numBytesAllocated -= buffer.size;
        bufferManager.numFreeBuffers -= 1;
      }
  }

  override isUsingGpuDevice(): boolean {
    return !this.#open.adapter.isSoftware;
  }

  close(): void {
    this.#closed = true;
    this.#open.close();
  }
}
