// A Confluent-compatible schema registry for the tests of `schemaRegistry.url`: Apicurio Registry as its project publishes
// it on Maven Central, pinned by SHA-256. The stack itself needs none (docs/ARCHITECTURE.md), so set-up does not fetch it.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { download } from './download.mjs';

export const REGISTRY_VERSION = '3.0.9';
const SHA256 = '2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43';
const ARTIFACT = `https://repo.maven.apache.org/maven2/io/apicurio/apicurio-registry-app/${REGISTRY_VERSION}/apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`;

/**
 * Its folder under the cache, downloaded (109 MB) and unpacked where it is not there.
 * @param {{cacheDir: string, log?: (line: string) => void}} options
 * @returns {Promise<string>} the path of the runnable jar
 * @throws where Maven Central does not answer, the digest differs, or tar is missing
 */
export async function ensureSchemaRegistry({ cacheDir, log = () => {} }) {
  const folder = path.join(cacheDir, `apicurio-registry-${REGISTRY_VERSION}`);
  const jar = path.join(folder, `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`);
  if (existsSync(jar)) return jar;
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(path.join(cacheDir, 'apicurio-work-'));
  try {
    log('downloading a schema registry for the tests (109 MB) from Maven Central');
    const archive = path.join(work, 'registry.tar.gz');
    await download(ARTIFACT, archive, { sha256: SHA256 });
    const unpacked = path.join(work, 'unpacked');
    await mkdir(unpacked);
    await promisify(execFile)('tar', ['-xzf', archive, '-C', unpacked]);
    // Moved whole: half a registry does not exist. Another process may have been faster.
    await rename(unpacked, folder).catch((error) => {
      if (!existsSync(jar)) throw error;
    });
    return jar;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
