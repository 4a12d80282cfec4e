/**
 * PyTorch with Transformers as a process (side.py), for measurements beside it. It lives in an environment of its own
 * that the user names: nothing here installs it.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { LineProcess } from '../sandbox/line-process.js';

export interface TorchVersions {
  readonly torch: string;
  readonly transformers: string;
  readonly threads: number;
}

export interface Memory {
  readonly peakBytes: number;
  readonly bytes: number;
}

/** There is no such Python, or it lacks the packages; the message says what to do. */
export class PyTorchMissing extends Error {
  override readonly name = 'PyTorchMissing';
  readonly exitCode = EXIT.missing;
}

/** The interpreter that has PyTorch: `--python`, else AZR_PYTORCH_PYTHON. @throws PyTorchMissing */
export async function findTorchPython(given: string | undefined): Promise<string> {
  const python = given ?? process.env['AZR_PYTORCH_PYTHON'];
  const remedy =
    'make one: python3.11 -m venv DIR && DIR/bin/pip install torch transformers; then pass --python DIR/bin/python or set AZR_PYTORCH_PYTHON';
  if (python === undefined) throw new PyTorchMissing(`no Python with PyTorch is named; ${remedy}`);
  try {
    await promisify(execFile)(python, ['-c', 'import torch, transformers']);
  } catch (error) {
    const lines = ((error as { stderr?: string }).stderr ?? String(error)).trim().split('\n');
    throw new PyTorchMissing(
      `${python} cannot import torch and transformers (${lines.at(-1) ?? ''}); ${remedy}`,
    );
  }
  return python;
}

export class Torch {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  static async start(python: string, threads: number): Promise<Torch> {
    const script = new URL('./side.py', import.meta.url);
    return new Torch(await LineProcess.start(python, script, [], { threads }, []));
  }

  /** What side.py answers to a request. */
  async ask<T>(request: { readonly do: string; readonly [key: string]: unknown }): Promise<T> {
    return JSON.parse(await this.#process.ask(JSON.stringify(request))) as T;
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
