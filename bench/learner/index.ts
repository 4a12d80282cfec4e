/**
 * npm run bench -- learner: one step of the clipped policy loss with AdamW, by our engine and by PyTorch with Transformers
 * (eager, scaled dot product attention, fused AdamW), on the same weights and rows, in turn, in float32 and in bfloat16
 * (autocast there); and the peak memory of a step of SmolLM2-135M with activations recomputed, each side in a fresh
 * process.
 */
import { compareSides, tellRound, type Comparison } from '../beside/comparison.js';
import { OPTIMISER, stepRows, TINY, tokenRows } from '../beside/models.js';
import { Side, type Memory, type Stepped } from '../beside/process.js';
import type { Row } from '../beside/report.js';
import { median } from '../median.js';
import type { Compute } from '../../src/policy/port.js';
import { runBench } from '../run-bench.js';

const USAGE = `npm run bench -- learner [options]
  --python FILE   Python with torch and transformers (default: AZR_PYTORCH_PYTHON)
  --rounds N      steps of each side, in turn; medians are shown (default 7)
  --threads N     of each side (default 2)
  --only LIST     of tiny,smollm2,bf16,memory (default: all that are there)
  --json          the numbers as JSON`;

const CASES = ['tiny', 'smollm2', 'bf16', 'memory'];

/** Steps in turn on one model; the first of each side is not counted. */
async function compareSteps(
  { python, threads, rounds }: Comparison,
  what: string,
  dir: string,
  vocabulary: number,
  shape: { readonly rows: number; readonly length: number },
  wanted: number,
  compute: Compute = 'float32',
): Promise<Row> {
  const [torch, ours] = [await Side.pytorch(python, threads), await Side.ours(threads)];
  try {
    await torch.ask({ do: 'load', dir, bf16: compute === 'bfloat16' });
    await ours.ask({ do: 'load', dir, settings: { compute } });
    const rows = await stepRows(torch, tokenRows(shape.rows, shape.length, vocabulary, 1), shape.length >> 3);
    const taken: { torch: Stepped; ours: Stepped }[] = [];
    for (let round = 0; round <= rounds; round++) {
      const step = (side: Side): Promise<Stepped> => side.ask({ do: 'step', rows, optimiser: OPTIMISER });
      taken.push({ torch: await step(torch), ours: await step(ours) });
      tellRound(what, round, rounds);
    }
    const [first] = taken;
    const counted = taken.slice(1);
    return {
      what,
      unit: 'ms',
      torch: 1000 * median(counted.map((pair) => pair.torch.seconds)),
      ours: 1000 * median(counted.map((pair) => pair.ours.seconds)),
      ratio: median(counted.map((pair) => pair.torch.seconds / pair.ours.seconds)),
      wanted,
      note: `first loss ${first?.torch.loss.toFixed(6)} and ${first?.ours.loss.toFixed(6)}, gradient norm ${first?.torch.gradNorm.toFixed(4)} and ${first?.ours.gradNorm.toFixed(4)}`,
    };
  } finally {
    await Promise.all([torch.close(), ours.close()]);
  }
}

/** Peak memory after two steps with activations recomputed, each side alone. */
async function compareMemory({ python, threads }: Comparison, dir: string): Promise<Row> {
  const length = 256;
  const ids = tokenRows(1, length, 49_152, 1);
  const rows = {
    ids,
    promptTokens: length >> 3,
    oldLogProbs: ids.map(() => new Array<number>(length - 1).fill(-10)),
    advantage: [1],
  };
  const peak = async (side: Side, load: Readonly<Record<string, unknown>>): Promise<number> => {
    try {
      await side.ask({ do: 'load', dir, ...load });
      for (let i = 0; i < 2; i++) await side.ask({ do: 'step', rows, optimiser: OPTIMISER });
      return (await side.ask<Memory>({ do: 'memory' })).peakBytes / 1e6;
    } finally {
      await side.close();
    }
  };
  const torch = await peak(await Side.pytorch(python, threads), { checkpointing: true });
  const ours = await peak(await Side.ours(threads), { settings: { recompute: true } });
  const what = 'peak memory of a SmolLM2-135M step, 1 x 256 tokens, activations recomputed';
  return { what, unit: 'MB', torch, ours, ratio: torch / ours, wanted: 1, note: 'fresh processes, 2 steps' };
}

async function measure(comparison: Comparison): Promise<Row[]> {
  const { only, tiny, smolLm2 } = comparison;
  const rows: Row[] = [];
  if (only.includes('tiny'))
    rows.push(
      await compareSteps(
        comparison,
        'step, tiny shape, fp32, 16 x 257 tokens',
        tiny,
        TINY.vocab_size,
        { rows: 16, length: 257 },
        1.4,
      ),
    );
  if (smolLm2 !== undefined && only.includes('smollm2'))
    rows.push(
      await compareSteps(
        comparison,
        'step, SmolLM2-135M, fp32, 1 x 257 tokens',
        smolLm2,
        49_152,
        { rows: 1, length: 257 },
        1.1,
      ),
    );
  if (smolLm2 !== undefined && only.includes('bf16'))
    rows.push(
      await compareSteps(
        comparison,
        'step, SmolLM2-135M, bf16 products (PyTorch: autocast), 1 x 257 tokens',
        smolLm2,
        49_152,
        { rows: 1, length: 257 },
        1.2,
        'bfloat16',
      ),
    );
  if (smolLm2 !== undefined && only.includes('memory')) rows.push(await compareMemory(comparison, smolLm2));
  return rows;
}

await runBench(() => compareSides(USAGE, CASES, 7, measure));
