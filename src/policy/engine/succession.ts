/** A model that optimiser steps replace, and whose its tensors are at each moment. */
import { deleteModel, type ModelTensors } from './model.js';
import type { Native } from './native.js';

export class Succession {
  readonly #native: Native;
  #model: ModelTensors;
  #owned: boolean;

  /** @param owned whether the first model's tensors may be deleted, too. */
  constructor(native: Native, model: ModelTensors, owned: boolean) {
    this.#native = native;
    this.#model = model;
    this.#owned = owned;
  }

  get model(): ModelTensors {
    return this.#model;
  }

  /** @param take a step; where it is told to consume the model, it deletes its tensors, also when it fails. */
  async step(take: (model: ModelTensors, consume: boolean) => Promise<ModelTensors>): Promise<void> {
    const consume = this.#owned;
    this.#owned = false;
    this.#model = await take(this.#model, consume);
    this.#owned = true;
  }

  /** The caller owns the model from here on. */
  release(): ModelTensors {
    this.#owned = false;
    return this.#model;
  }

  [Symbol.dispose](): void {
    if (this.#owned) deleteModel(this.#native, this.#model);
    this.#owned = false;
  }
}
