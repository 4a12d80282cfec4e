// Node, as package.json's `engines` wants it; and the operating system, since little below works on another one.
import { SetupError } from './setup-error.mjs';

export const OLDEST = [20, 19];

/** @param {string} version as process.versions.node */
export function isNodeAccepted(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

export function ensureNode(
  version = process.versions.node,
  platform = process.platform,
  arch = process.arch,
) {
  if (!isNodeAccepted(version))
    throw new SetupError(
      `Node is ${version}; accepted is ${OLDEST.join('.')} or newer`,
      'install Node 20.19 or newer from https://nodejs.org',
    );
  if (platform !== 'linux' || arch !== 'x64')
    throw new SetupError(
      `the system is ${platform}-${arch}; accepted is linux-x64 (the sandbox needs user namespaces)`,
      'docker compose -f infra/docker-compose.yml up',
    );
  return { state: 'present', detail: `Node ${version}, ${platform}-${arch}` };
}
