/** JSON files of a model, read with errors that name the file, the field, what stands there and what is accepted. */
import { readFile } from 'node:fs/promises';
import { ModelFileError } from '../safetensors/format.js';

/** Fields of one JSON file, each read with what is accepted. */
export class Fields {
  readonly #file: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(file: string, values: unknown) {
    this.#file = file;
    if (typeof values !== 'object' || values === null || Array.isArray(values))
      throw new ModelFileError(`${file} holds ${JSON.stringify(values)}; accepted is an object`);
    this.#values = values as Record<string, unknown>;
  }

  /** null counts as absent, as Transformers takes it. */
  get(name: string): unknown {
    return this.#values[name] ?? undefined;
  }

  fail(name: string, accepted: string): never {
    const value = this.#values[name];
    throw new ModelFileError(
      value === undefined
        ? `${this.#file} has no ${name}; accepted ${accepted}`
        : `${this.#file}: ${name} is ${JSON.stringify(value)}; accepted ${accepted}`,
    );
  }

  count(name: string, absent?: number): number {
    const value = this.positive(name, absent);
    if (!Number.isInteger(value)) this.fail(name, 'are integers from 1');
    return value;
  }

  positive(name: string, absent?: number): number {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      this.fail(name, 'are numbers above 0');
    return value;
  }

  flag(name: string, absent: boolean): boolean {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'boolean') this.fail(name, 'are true, false');
    return value;
  }

  oneOf(name: string, accepted: readonly string[], absent?: string): string {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'string' || !accepted.includes(value))
      this.fail(name, `${accepted.length === 1 ? 'is' : 'are'} ${accepted.join(', ')}`);
    return value;
  }

  /** A token or several. */
  tokens(name: string): number[] {
    const value = this.get(name);
    const list: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
    if (!list.every((token) => Number.isSafeInteger(token)))
      this.fail(name, 'are a token or a list of tokens');
    return list as number[];
  }

  within(name: string): Fields | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : new Fields(`${this.#file}: ${name}`, value);
  }
}

/** @throws ModelFileError where it cannot be read or is not JSON. */
export async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ModelFileError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ModelFileError(`${file} is not JSON: ${(error as Error).message}`);
  }
}
