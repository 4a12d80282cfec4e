import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBatchFile } from '../../../src/learner/batch-file.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'azr-batch-'));
  file = path.join(folder, 'batch.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const row = { ids: [5, 6, 7, 8, 9], mask: [0, 0, 1, 0, 1], advantage: -0.5, oldLogprobs: [0, 0, -1, -2, -3] };
const read = async (content: unknown): Promise<unknown> => {
  await writeFile(file, JSON.stringify(content));
  return readBatchFile(file);
};

describe('a batch file', () => {
  it('gives rows whose completion goes from the first token of the loss to the last', async () => {
    expect(await read([row])).toEqual([
      {
        id: '0',
        group: 'batch',
        prompt: [5, 6],
        completion: [7, 8, 9],
        mask: [true, false, true],
        logProbs: [-1, -2, -3],
        advantage: -0.5,
      },
    ]);
  });

  it('may leave out the entries of the first token, or hold null where there is no loss', async () => {
    const short = { ...row, mask: row.mask.slice(1), oldLogprobs: [null, -1, null, -3] };
    expect(await read({ rows: [short] })).toEqual([
      expect.objectContaining({ prompt: [5, 6], completion: [7, 8, 9], logProbs: [-1, 0, -3] }),
    ]);
  });

  it.each([
    [[], /holds no rows; accepted is a list of them/],
    [{ row }, /holds no rows/],
    [[row, { ...row, mask: [1] }], /row 1: mask has 1 entries; accepted is one a token of ids, 5, or one/],
    [[{ ...row, mask: [1, 0, 0, 0, 0] }], /row 0: mask has no 1 behind the first token/],
    [
      [{ ...row, oldLogprobs: [0, 0, null, 0, 0] }],
      /row 0: oldLogprobs is null for token 2, whose mask is 1/,
    ],
    [
      [{ ...row, advantage: 'high' }],
      /row 0: advantage: .*accepted is \{ids, mask, advantage, oldLogprobs\}/,
    ],
    [[{ ...row, ids: [1, -2, 3, 4, 5] }], /row 0: ids\.1: /],
    [[{ ...row, reward: 1 }], /row 0: .*reward/],
  ])('is refused: %j', async (content, message) => {
    await expect(read(content)).rejects.toThrow(message);
  });

  it('is refused where it is missing or no JSON', async () => {
    await expect(readBatchFile(file)).rejects.toThrow(/batch\.json cannot be read \(ENOENT\)/);
    await writeFile(file, '[');
    await expect(readBatchFile(file)).rejects.toThrow(/batch\.json is not JSON/);
  });
});
