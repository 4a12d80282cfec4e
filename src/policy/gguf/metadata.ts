/** A GGUF file's keys, each read with what is accepted. */
import { ModelFileError } from '../safetensors/format.js';
import type { GgufFile, GgufValue } from './reader.js';

export class GgufMetadata {
  readonly file: string;
  readonly #values: ReadonlyMap<string, GgufValue>;

  constructor({ file, metadata }: Pick<GgufFile, 'file' | 'metadata'>) {
    this.file = file;
    this.#values = metadata;
  }

  #fail(key: string, accepted: string): never {
    const value = this.#values.get(key);
    throw new ModelFileError(
      value === undefined
        ? `${this.file} has no ${key}; accepted ${accepted}`
        : `${this.file}: ${key} is ${JSON.stringify(value).slice(0, 80)}; accepted ${accepted}`,
    );
  }

  oneOf(key: string, accepted: readonly string[]): string {
    const value = this.#values.get(key);
    if (typeof value !== 'string' || !accepted.includes(value))
      this.#fail(key, `${accepted.length === 1 ? 'is' : 'are'} ${accepted.join(', ')}`);
    return value;
  }

  optionalString(key: string): string | undefined {
    const value = this.#values.get(key);
    if (value !== undefined && typeof value !== 'string') this.#fail(key, 'is a text');
    return value;
  }

  /** A number above 0. */
  positive(key: string): number {
    const value = this.#values.get(key);
    if (typeof value !== 'number' || !(value > 0)) this.#fail(key, 'are numbers above 0');
    return value;
  }

  optionalNumber(key: string): number | undefined {
    const value = this.#values.get(key);
    if (value !== undefined && typeof value !== 'number') this.#fail(key, 'is a number');
    return value;
  }

  strings(key: string): readonly string[] {
    return this.#list(key, 'string') as readonly string[];
  }

  numbers(key: string): readonly number[] {
    return this.#list(key, 'number') as readonly number[];
  }

  #list(key: string, type: 'string' | 'number'): readonly GgufValue[] {
    const value = this.#values.get(key);
    if (!Array.isArray(value) || !value.every((entry) => typeof entry === type))
      this.#fail(key, `is a list of ${type}s`);
    return value as readonly GgufValue[];
  }
}
