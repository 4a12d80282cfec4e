/**
 * The two sides of a comparison with PyTorch, each a process of its own that answers lines (side.ts, side.py). PyTorch
 * lives in an environment that the user names: nothing here installs it.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EXIT } from '../../src/cli/exit-codes.js';
import { engineVariables } from '../../src/policy/engine/environment.js';
import type { LearnConfig } from '../../src/policy/port.js';
import { LineProcess } from '../line-process.js';

export interface StepRows {
  /** [b, s] */
  readonly ids: readonly (readonly number[])[];
  /** Tokens at the beginning of each row that have no part in the loss. */
  readonly promptTokens: number;
  /** [b, s - 1]: of each token but the first */
  readonly oldLogProbs: readonly (readonly number[])[];
  /** [b] */
  readonly advantage: readonly number[];
}

export type Optimiser = Pick<
  LearnConfig,
  | 'learningRate'
  | 'betas'
  | 'epsilon'
  | 'weightDecay'
  | 'maxGradNorm'
  | 'clipLow'
  | 'clipHigh'
  | 'entropyCoefficient'
>;

export interface Stepped {
  readonly seconds: number;
  readonly loss: number;
  readonly gradNorm: number;
}

export interface Generated {
  readonly seconds: number;
  readonly tokens: number;
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

/** The interpreter that has PyTorch: what is given, else AZR_PYTORCH_PYTHON. @throws PyTorchMissing */
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

export class Side {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  static async pytorch(python: string, threads: number): Promise<Side> {
    const script = new URL('./side.py', import.meta.url);
    return new Side(await LineProcess.start(python, script, [], { threads }, { flags: [] }));
  }

  /** With the environment that the engine's process has. */
  static async ours(threads: number): Promise<Side> {
    const script = new URL('./side.js', import.meta.url);
    return new Side(
      await LineProcess.start(
        process.execPath,
        script,
        [],
        { threads },
        { flags: [], env: engineVariables(threads) },
      ),
    );
  }

  /** What side.py says that it answers to a request. */
  async ask<T>(request: { readonly do: string; readonly [key: string]: unknown }): Promise<T> {
    return JSON.parse(await this.#process.ask(JSON.stringify(request))) as T;
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
