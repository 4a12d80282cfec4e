// Programs on PATH, and what they say.
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** The first executable file of this name on PATH (or in another list of folders); undefined where there is none. */
export function findOnPath(name, folders = process.env.PATH) {
  for (const folder of (folders ?? '').split(path.delimiter)) {
    if (folder === '') continue;
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      continue;
    }
  }
  return undefined;
}

/**
 * Runs a program to its end without a shell.
 * @returns {Promise<{code: number, stdout: string, stderr: string}>} code 127 where it cannot be started, 124 after timeoutMs
 */
export function ask(file, args, { timeoutMs = 30_000, env = process.env, cwd } = {}) {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: timeoutMs, env, cwd, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const code =
        error === null ? 0 : error.killed === true ? 124 : typeof error.code === 'number' ? error.code : 127;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Runs a program with this process's terminal; a SIGTERM (or, without a terminal, a SIGINT) to us goes on to it. */
export function runAttached(file, args, { cwd, env = process.env, stdio = 'inherit', onStdout } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio });
    if (onStdout !== undefined) child.stdout.on('data', onStdout);
    // On a terminal Ctrl-C reaches the whole group: sent on, the child would see it twice.
    const onInt = () => {
      if (!process.stdin.isTTY) child.kill('SIGINT');
    };
    const onTerm = () => child.kill('SIGTERM');
    process.on('SIGINT', onInt).on('SIGTERM', onTerm);
    const release = () => process.off('SIGINT', onInt).off('SIGTERM', onTerm);
    child.once('error', (error) => {
      release();
      reject(error);
    });
    child.once('close', (code, signal) => {
      release();
      resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15));
    });
  });
}
