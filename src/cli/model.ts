/** `azr model`: what a Hugging Face folder is, and what the model in it says. */
import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { endTokens, parameterCount } from '../policy/engine/parameters.js';
import {
  drawOf,
  GENERATION_CONFIG_FILE,
  notBuiltFields,
  readGenerationSampling,
  type Draw,
} from '../policy/hugging-face/generation-config.js';
import { openHuggingFaceModel } from '../policy/hugging-face/folder.js';
import type { PretrainedModel } from '../policy/hugging-face/pretrained.js';
import { ModelTokenizer, TOKENIZER_FILE } from '../policy/tokenizer/index.js';
import { addModelFetchCommand } from './model-fetch.js';
import { say, sayJson, tell } from './output.js';
import { idsOption, naming, numberOption, withPretrained } from './pretrained.js';

const ADAPTER_HELP = 'a low-rank adapter as PEFT lays it out, over the model';

interface GenerateOptions {
  readonly model: string;
  readonly adapter?: string;
  readonly prompt?: string;
  readonly ids?: string;
  readonly maxNew: string;
  readonly temperature?: string;
  readonly topK?: string;
  readonly topP?: string;
  readonly minP?: string;
  readonly seed: string;
  readonly json?: boolean;
}

export function addModelCommands(program: Command): void {
  const group = program
    .command('model')
    .description('a model as Hugging Face lays it out: config.json, *.safetensors, tokenizer.json');
  group
    .command('info')
    .description('architecture, sizes and files, all checked; weights are not read')
    .argument('<dir>')
    .option('--json', 'print as JSON')
    .action(async (folder: string, options: { json?: boolean }) => {
      const info = await naming(() => modelInfo(folder));
      if (options.json === true) sayJson(info);
      else for (const [name, value] of Object.entries(info)) say(`${name.padEnd(18)}${text(value)}`);
    });
  group
    .command('logits')
    .description('logits after the last of given tokens, and the log-probability of each token, float32')
    .requiredOption('--model <dir>')
    .option('--adapter <dir>', ADAPTER_HELP)
    .requiredOption('--ids <ids>', 'tokens, as in 1,2,3')
    .option('--json', 'print {lastLogits, tokenLogprobs} as JSON')
    .addHelpText('after', '\ntokenLogprobs[i] is the log-probability of ids[i+1] given ids[0..i], in nats.')
    .action(async (options: { model: string; adapter?: string; ids: string; json?: boolean }) => {
      const ids = idsOption(options.ids);
      const { lastLogits, tokenLogProbs } = await withPretrained(
        options.model,
        (model) => model.score(ids),
        options,
      );
      if (options.json === true)
        return sayJson({ lastLogits: [...lastLogits], tokenLogprobs: tokenLogProbs });
      const best = lastLogits.reduce((at, logit, i) => (logit > (lastLogits[at] ?? 0) ? i : at), 0);
      say(`likeliest next token: ${best}, logit ${lastLogits[best] ?? ''}`);
      tokenLogProbs.forEach((logProb, i) => say(`${ids[i + 1] ?? ''}\t${logProb}`));
    });
  group
    .command('generate')
    .description('new tokens after a prompt, up to an end token or the number that is asked for')
    .requiredOption('--model <dir>')
    .option('--adapter <dir>', ADAPTER_HELP)
    .option('--prompt <text>', `needs ${TOKENIZER_FILE} in the folder`)
    .option('--ids <ids>', 'the prompt as tokens, as in 1,2,3')
    .requiredOption('--max-new <n>', 'at most this many tokens')
    .option('--temperature <t>', '0 is greedy')
    .option('--top-k <k>', 'draw from the k likeliest tokens; 0 is all')
    .option('--top-p <p>', 'draw from the fewest tokens that have this mass; 1 is all')
    .option('--min-p <p>', 'draw from tokens at least this share as likely as the likeliest; 0 is all')
    .option('--seed <n>', 'of the sample', '0')
    .option('--json', 'print {ids, text, logprobs} as JSON; text is null without a tokenizer')
    .addHelpText(
      'after',
      `
Where no option speaks, ${GENERATION_CONFIG_FILE} does (temperature, top_k, top_p, min_p, stop_strings, eos_token_id), and
as in Transformers the likeliest tokens are taken unless it says do_sample. A temperature above 0 or a truncation asks for a
sample. logprobs are those of the model: temperature 1, nothing truncated.`,
    )
    .action(async (options: GenerateOptions) => {
      if ((options.prompt === undefined) === (options.ids === undefined))
        throw new UsageError(
          `--prompt and --ids are ${options.ids === undefined ? 'both missing' : 'both given'}; accepted is one of them`,
        );
      const request = {
        maxTokens: numberOption(
          '--max-new',
          options.maxNew,
          'integers from 1',
          (n) => Number.isInteger(n) && n >= 1,
        ),
        seed: numberOption('--seed', options.seed, 'integers', Number.isSafeInteger),
      };
      const asked = askedDraw(options);
      const ids = options.ids === undefined ? undefined : idsOption(options.ids);
      const result = await withPretrained(
        options.model,
        (model) => generate(model, options.prompt, ids, request, asked),
        options,
      );
      if (options.json === true) sayJson(result);
      else say(result.text ?? result.ids.join(','));
    });
  addModelFetchCommand(group);
}

/** What the options say of the draw. */
function askedDraw({ temperature, topK, topP, minP }: GenerateOptions): Partial<Draw> {
  const number = (
    option: string,
    text: string | undefined,
    accepted: string,
    ok: (n: number) => boolean,
  ): number | undefined => (text === undefined ? undefined : numberOption(option, text, accepted, ok));
  const asked = {
    temperature: number('--temperature', temperature, 'numbers from 0', (n) => Number.isFinite(n) && n >= 0),
    topK: number('--top-k', topK, 'integers from 0, which is all', (n) => Number.isInteger(n) && n >= 0),
    topP: number('--top-p', topP, 'numbers above 0, up to 1', (n) => n > 0 && n <= 1),
    minP: number('--min-p', minP, 'numbers from 0 to 1', (n) => n >= 0 && n <= 1),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

async function modelInfo(folder: string): Promise<Record<string, unknown>> {
  const model = await openHuggingFaceModel(folder);
  await model.source.close();
  const { spec } = model;
  const parameters = parameterCount(spec);
  return {
    architecture: model.architecture,
    parameters,
    layers: spec.layers,
    width: spec.width,
    heads: spec.heads,
    keyValueHeads: spec.keyValueHeads,
    headWidth: spec.headWidth,
    hidden: spec.hidden,
    vocabulary: spec.vocabulary,
    context: spec.context,
    tied: spec.untied !== true,
    attentionBias: spec.attentionBias === true,
    queryKeyNorm: spec.queryKeyNorm === true,
    rotaryBase: spec.rotaryBase,
    rotaryScaling: spec.rotaryScaling ?? null,
    endTokens: endTokens(spec),
    dtype: model.dtype,
    weightTypes: model.weightTypes,
    tokenizer: (await fittingTokenizer(folder, spec.vocabulary)) !== undefined,
    /** Of the weights in float32, as they are computed with. */
    bytes: 4 * parameters,
  };
}

/** @throws ModelFileError where it is none of the model's. */
async function fittingTokenizer(folder: string, vocabulary: number): Promise<ModelTokenizer | undefined> {
  const tokenizer = await ModelTokenizer.find(folder);
  tokenizer?.checkFits(vocabulary);
  return tokenizer;
}

async function generate(
  model: PretrainedModel,
  prompt: string | undefined,
  given: readonly number[] | undefined,
  request: { maxTokens: number; seed: number },
  asked: Partial<Draw>,
): Promise<{ ids: readonly number[]; text: string | null; logprobs: readonly number[] }> {
  const { folder } = model.model;
  const tokenizer = await fittingTokenizer(folder, model.spec.vocabulary);
  const ids = given ?? tokenizer?.encode(prompt ?? '', { addSpecial: true });
  if (ids === undefined)
    throw new UsageError(
      `--prompt needs a tokenizer, and ${folder} has no ${TOKENIZER_FILE}; accepted is --ids`,
    );
  const said = await readGenerationSampling(folder);
  const unread = await notBuiltFields(folder);
  if (said.stop !== undefined && tokenizer === undefined)
    unread.push(`stop_strings, without ${TOKENIZER_FILE}`);
  if (unread.length > 0) tell(`${GENERATION_CONFIG_FILE}: not applied: ${unread.join('; ')}`);
  const stops =
    said.stop === undefined || tokenizer === undefined
      ? undefined
      : { stop: said.stop, tokenTexts: tokenizer.tokenTexts(model.spec.vocabulary) };
  const [sample] = await model.generate(
    [
      {
        id: given === undefined ? '--prompt' : '--ids',
        prompt: ids,
        ...request,
        ...drawOf(said, asked),
        ...(stops === undefined ? {} : { stop: stops.stop }),
      },
    ],
    stops === undefined ? {} : { tokenTexts: stops.tokenTexts },
  );
  if (sample === undefined) throw new Error('the sampler gave nothing');
  return {
    ids: sample.tokens,
    text: tokenizer?.decode(sample.tokens, { skipSpecial: true }) ?? null,
    logprobs: sample.logProbs,
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
