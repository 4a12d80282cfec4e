/**
 * npm run bench -- sampling: tokens a second, by our engine and by transformers.generate, on the same weights and prompts,
 * in turn. Every row has as many new tokens as asked for: end tokens end nothing.
 */
import { compareSides, tellRound, type Comparison } from '../beside/comparison.js';
import { TINY, tokenRows } from '../beside/models.js';
import { Side, type Generated } from '../beside/process.js';
import type { Row } from '../beside/report.js';
import { median } from '../median.js';
import { runBench } from '../run-bench.js';

const USAGE = `npm run bench -- sampling [options]
  --python FILE   Python with torch and transformers (default: AZR_PYTORCH_PYTHON)
  --rounds N      generations of each side, in turn; medians are shown (default 3)
  --threads N     of each side (default 2)
  --only LIST     of tiny,smollm2 (default: all that are there)
  --json          the numbers as JSON`;

const PROMPT_TOKENS = 32;

interface Model {
  readonly name: string;
  readonly dir: string;
  readonly vocabulary: number;
  readonly batches: readonly number[];
  readonly newTokens: number;
  readonly wanted: number;
}

async function compare(model: Model, setting: Comparison): Promise<Row[]> {
  const torch = await Side.pytorch(setting.python, setting.threads);
  const ours = await Side.ours(setting.threads);
  try {
    for (const side of [torch, ours]) await side.ask({ do: 'load', dir: model.dir });
    const rows: Row[] = [];
    for (const batch of model.batches) {
      const prompts = tokenRows(batch, PROMPT_TOKENS, model.vocabulary, 2);
      const what = `sampling, ${model.name}, batch ${batch}, ${PROMPT_TOKENS} + ${model.newTokens} tokens`;
      const taken: { torch: number; ours: number }[] = [];
      for (let round = 0; round <= setting.rounds; round++) {
        const speed = async (side: Side): Promise<number> => {
          // The first round of each side is not counted, and may be short.
          const newTokens = round === 0 ? 8 : model.newTokens;
          const { tokens, seconds } = await side.ask<Generated>({ do: 'generate', prompts, newTokens });
          return tokens / seconds;
        };
        taken.push({ torch: await speed(torch), ours: await speed(ours) });
        tellRound(what, round, setting.rounds);
      }
      const counted = taken.slice(1);
      rows.push({
        what,
        unit: 'tokens/s',
        torch: median(counted.map((pair) => pair.torch)),
        ours: median(counted.map((pair) => pair.ours)),
        ratio: median(counted.map((pair) => pair.ours / pair.torch)),
        wanted: model.wanted,
        note: '',
      });
    }
    return rows;
  } finally {
    await Promise.all([torch.close(), ours.close()]);
  }
}

async function measure(comparison: Comparison): Promise<Row[]> {
  const { only, tiny, smolLm2 } = comparison;
  const models: Model[] = [
    { name: 'tiny', dir: tiny, vocabulary: TINY.vocab_size, batches: [64, 256], newTokens: 128, wanted: 1.5 },
    ...(smolLm2 === undefined
      ? []
      : [
          { name: 'smollm2', dir: smolLm2, vocabulary: 49_152, batches: [8, 32], newTokens: 64, wanted: 1.3 },
        ]),
  ];
  const rows: Row[] = [];
  for (const model of models.filter(({ name }) => only.includes(name)))
    rows.push(...(await compare(model, comparison)));
  return rows;
}

await runBench(() => compareSides(USAGE, ['tiny', 'smollm2'], 3, measure));
