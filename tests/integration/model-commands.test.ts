/** `azr model` and `azr learner step` as a user runs them, on small models and a small tokenizer. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { azrCli, ROOT } from '../support/azr-cli.js';

const MODEL = path.join(ROOT, 'tests/golden/hugging-face/qwen2.5-untied');

let folder: string;
/** The model with a tokenizer whose tokens are the letters. */
let spelling: string;
let expected: {
  greedy: { prompt: number[]; tokens: number[]; logprobs: number[] };
  sequences: { ids: number[]; logits: number[][]; logprobs: number[] }[];
  adamW: { learningRate: number; after10: { losses: number[] } };
  policy: { loss: number; clipLow: number; clipHigh: number; entropyCoefficient: number; rows: object[] };
};
const { azr, azrJson } = azrCli(() => folder);

const tokenizer = (vocabulary: Readonly<Record<string, number>>): string =>
  JSON.stringify({
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Split', pattern: { Regex: '' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: { type: 'BPE', vocab: vocabulary, merges: [], unk_token: null, byte_fallback: false },
  });

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-model-'));
  spelling = path.join(folder, 'spelling');
  await cp(MODEL, spelling, { recursive: true });
  const letters = Array.from({ length: 96 }, (_, i) => [String.fromCodePoint(0x100 + i), i] as const);
  await writeFile(path.join(spelling, 'tokenizer.json'), tokenizer(Object.fromEntries(letters)));
  expected = JSON.parse(await readFile(path.join(MODEL, 'expected.json'), 'utf8')) as typeof expected;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const worst = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))));

describe('azr model', () => {
  it('info says what is there', async () => {
    expect(await azrJson(['model', 'info', MODEL, '--json'])).toMatchObject({
      architecture: 'qwen2',
      vocabulary: 96,
      keyValueHeads: 1,
      tied: false,
      attentionBias: true,
      weightTypes: ['F32'],
      tokenizer: false,
    });
  });

  it('logits are the reference, float32', async () => {
    const { ids, logits, logprobs } = expected.sequences.at(-1) as (typeof expected.sequences)[number];
    const answer = await azrJson<{ lastLogits: number[]; tokenLogprobs: number[] }>([
      'model',
      'logits',
      ...['--model', MODEL],
      ...['--ids', ids.join(',')],
      '--json',
    ]);
    expect(answer.lastLogits).toHaveLength(96);
    expect(answer.tokenLogprobs).toHaveLength(ids.length - 1);
    expect(worst(answer.lastLogits, logits.at(-1) ?? [])).toBeLessThan(1e-4);
    expect(worst(answer.tokenLogprobs, logprobs)).toBeLessThan(1e-4);
  });

  it('generate goes by tokens without a tokenizer, and by text with one', async () => {
    const { prompt, tokens, logprobs } = expected.greedy;
    const generate = (
      model: string,
      ...more: string[]
    ): Promise<{ ids: number[]; text: string | null; logprobs: number[] }> =>
      azrJson([
        'model',
        'generate',
        ...['--model', model],
        ...['--max-new', String(tokens.length)],
        ...['--temperature', '0'],
        ...more,
        '--json',
      ]);
    const byIds = await generate(MODEL, '--ids', prompt.join(','));
    expect(byIds).toMatchObject({ ids: tokens, text: null });
    expect(worst(byIds.logprobs, logprobs)).toBeLessThan(1e-4);
    const spelled = (ids: readonly number[]): string => String.fromCodePoint(...ids.map((id) => 0x100 + id));
    expect(await generate(spelling, '--prompt', spelled(prompt))).toMatchObject({
      ids: tokens,
      text: spelled(tokens),
    });
  });

  it('generate draws as generation_config.json says, unless an option does', async () => {
    const model = path.join(folder, 'draws');
    await cp(MODEL, model, { recursive: true });
    const { prompt, tokens } = expected.greedy;
    const args = [
      'model',
      'generate',
      '--model',
      model,
      '--ids',
      prompt.join(','),
      '--max-new',
      '24',
      '--json',
    ];
    const ids = async (...more: string[]): Promise<number[]> =>
      (await azrJson<{ ids: number[] }>([...args, ...more])).ids;
    // Without do_sample Transformers is greedy.
    expect(await ids()).toEqual(tokens);
    expect(await ids('--temperature', '1')).not.toEqual(tokens);
    const says = (fields: object): Promise<void> =>
      writeFile(path.join(model, 'generation_config.json'), JSON.stringify(fields));
    await says({ do_sample: true, temperature: 1.5, repetition_penalty: 1.2 });
    const { code, out, err } = await azr(args);
    expect([code, err]).toEqual([0, expect.stringMatching(/not applied: repetition_penalty 1\.2/)]);
    const drawn = (JSON.parse(out) as { ids: number[] }).ids;
    expect(drawn).not.toEqual(tokens);
    expect(await ids('--temperature', '1.5')).toEqual(drawn);
    expect(await ids('--top-k', '1')).toEqual(tokens);
    await says({ do_sample: true, top_k: 1, eos_token_id: tokens[4] });
    expect(await ids()).toEqual(tokens.slice(0, tokens.indexOf(tokens[4] ?? -1) + 1));
  });

  it.each([
    [
      ['generate', '--ids', '1', '--max-new', '1', '--top-p', '0'],
      /--top-p is "0"; accepted are numbers above 0/,
    ],
    [
      ['generate', '--ids', '1', '--max-new', '1', '--top-k', '-1'],
      /--top-k is "-1"; accepted are integers from 0/,
    ],
    [
      ['generate', '--ids', '1', '--max-new', '1', '--min-p', '2'],
      /--min-p is "2"; accepted are numbers from 0 to 1/,
    ],
    [['logits', '--ids', '1,96'], /ids holds token 96; accepted are integers from 0 to 95/],
    [['logits', '--ids', '1,x'], /--ids is "x"; accepted are tokens/],
    [['generate', '--ids', '1', '--max-new', '1024'], /accepted is a sum of at most context, 1024/],
    [['generate', '--prompt', 'a', '--max-new', '1'], /--prompt needs a tokenizer/],
    [['generate', '--max-new', '1'], /--prompt and --ids are both missing/],
  ])('names what it does not take: %j', async (args, message) => {
    const [command = '', ...rest] = args;
    const { code, err } = await azr(['model', command, '--model', MODEL, ...rest]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('names a tokenizer that does not match the vocabulary', async () => {
    const mismatched = path.join(folder, 'mismatched');
    await cp(MODEL, mismatched, { recursive: true });
    await writeFile(path.join(mismatched, 'tokenizer.json'), tokenizer({ a: 0, b: 96 }));
    const { code, err } = await azr(['model', 'info', mismatched]);
    expect(code).toBe(2);
    expect(err).toMatch(/tokenizer\.json does not match the model: token "b" is 96; accepted are 0 to 95/);
  });
});

describe('azr learner step', () => {
  it('writes a model of the same layout that one update has changed, and says how', async () => {
    const batch = path.join(folder, 'batch.json');
    const { policy, adamW } = expected;
    await writeFile(batch, JSON.stringify(policy.rows));
    const out = path.join(folder, 'out');
    // The reference's numbers; decay, clip by norm and betas are the command's defaults.
    const step = (from: string, to: string): Promise<{ loss: number; gradNorm: number }> =>
      azrJson([
        'learner',
        'step',
        ...['--model', from],
        ...['--batch', batch],
        ...['--out', to],
        ...['--lr', String(adamW.learningRate)],
        ...['--clip-low', String(policy.clipLow)],
        ...['--clip-high', String(policy.clipHigh)],
        ...['--entropy', String(policy.entropyCoefficient)],
        '--json',
      ]);
    const first = await step(spelling, out);
    expect(Math.abs(first.loss - policy.loss)).toBeLessThan(1e-5);
    expect((await readdir(out)).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    // The second step's loss is that of the model which the first one wrote.
    const second = await step(out, path.join(folder, 'again'));
    expect(Math.abs(second.loss - (adamW.after10.losses[1] ?? Number.NaN))).toBeLessThan(1e-4);
  });

  it('has statistics by group where rows name one', async () => {
    const batch = path.join(folder, 'groups.json');
    const rows = expected.policy.rows.map((row, i) => ({
      ...row,
      ...(i < 2 ? { group: 'solve.abduction' } : {}),
    }));
    await writeFile(batch, JSON.stringify(rows));
    const { tokens, loss, groups } = await azrJson<{
      tokens: number;
      loss: number;
      groups: Record<string, { rows: number; tokens: number; loss: number; entropy: number }>;
    }>([
      ...[
        'learner',
        'step',
        '--model',
        MODEL,
        '--batch',
        batch,
        '--out',
        path.join(folder, 'grouped'),
        '--json',
      ],
      ...['--clip-low', `${expected.policy.clipLow}`, '--clip-high', `${expected.policy.clipHigh}`],
    ]);
    expect(Object.keys(groups)).toEqual(['batch', 'solve.abduction']);
    expect(groups['solve.abduction']?.rows).toBe(2);
    const sum = (of: (group: { tokens: number; loss: number }) => number): number =>
      Object.values(groups).reduce((all, group) => all + of(group), 0);
    expect(sum((group) => group.tokens)).toBe(tokens);
    expect(sum((group) => group.tokens * group.loss) / tokens).toBeCloseTo(loss, 5);
  });

  it('names a row that does not fit, and a folder that is not its to replace', async () => {
    const batch = path.join(folder, 'wrong.json');
    await writeFile(
      batch,
      JSON.stringify([{ ids: [1, 2, 3], mask: [0, 1], advantage: 1, oldLogprobs: [0] }]),
    );
    const args = ['learner', 'step', '--model', MODEL, '--batch', batch, '--out'];
    const wrong = await azr([...args, path.join(folder, 'nothing')]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/row 0: oldLogprobs has 1 entries; accepted is one a token of ids, 3, or/);
    await writeFile(batch, JSON.stringify(expected.policy.rows));
    const taken = await azr([...args, ROOT]);
    expect(taken.code).toBe(2);
    expect(taken.err).toMatch(
      /which holds other files; accepted is a new or empty one, or a model of before/,
    );
  });

  it('trains an adapter over a model, which logits and generate then take', async () => {
    const adapter = path.join(ROOT, 'tests/golden/hugging-face/lora');
    const peft = JSON.parse(await readFile(path.join(adapter, 'expected.json'), 'utf8')) as typeof expected;
    const batch = path.join(folder, 'adapter-batch.json');
    await writeFile(batch, JSON.stringify(peft.policy.rows));
    const out = path.join(folder, 'adapter');
    const { clipLow, clipHigh, entropyCoefficient } = peft.policy;
    const clip = [
      '--clip-low',
      `${clipLow}`,
      '--clip-high',
      `${clipHigh}`,
      '--entropy',
      `${entropyCoefficient}`,
    ];
    const step = (from: string, to: string): Promise<{ loss: number }> =>
      azrJson([
        ...['learner', 'step', '--model', MODEL, '--adapter', from, '--batch', batch, '--out', to],
        ...[...clip, '--lr', `${peft.adamW.learningRate}`, '--json'],
      ]);
    expect(Math.abs((await step(adapter, out)).loss - peft.policy.loss)).toBeLessThan(1e-5);
    expect((await readdir(out)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const second = await step(out, path.join(folder, 'adapter-again'));
    expect(Math.abs(second.loss - (peft.adamW.after10.losses[1] ?? Number.NaN))).toBeLessThan(1e-4);

    const { ids, logits } = peft.sequences.at(-1) as (typeof expected.sequences)[number];
    const args = ['--model', MODEL, '--adapter', adapter, '--ids', ids.join(','), '--json'];
    const answer = await azrJson<{ lastLogits: number[] }>(['model', 'logits', ...args]);
    expect(worst(answer.lastLogits, logits.at(-1) ?? [])).toBeLessThan(1e-4);
    const best = answer.lastLogits.indexOf(Math.max(...answer.lastLogits));
    const greedy = ['model', 'generate', ...args, '--max-new', '1', '--temperature', '0'];
    expect((await azrJson<{ ids: number[] }>(greedy)).ids).toEqual([best]);

    const taken = await azr([
      'learner',
      'step',
      '--model',
      MODEL,
      '--adapter',
      adapter,
      '--batch',
      batch,
      '--out',
      MODEL,
    ]);
    expect(taken.code).toBe(2);
    expect(taken.err).toMatch(/accepted is a new or empty one, or an adapter of before/);
    const none = await azr(['model', 'logits', '--model', MODEL, '--adapter', MODEL, '--ids', '1,2']);
    expect(none.code).toBe(2);
    expect(none.err).toMatch(/adapter_config\.json cannot be read \(ENOENT\)/);
  });
});
