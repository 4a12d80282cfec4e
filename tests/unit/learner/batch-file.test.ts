import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_GROUP, readBatchFile } from '../../../src/learner/batch-file.js';

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

  it('takes what a log-probability of 0 is rounded to, and what stands where there is no loss', async () => {
    const rows = [{ ...row, oldLogprobs: [9, 9, 1e-7, 9, -3] }];
    expect(await read(rows)).toEqual([expect.objectContaining({ logProbs: [1e-7, 9, -3] })]);
  });

  it('names the groups that statistics are kept by', async () => {
    const rows = (await read([{ ...row, group: 'solve.abduction' }, row])) as { group: string }[];
    expect(rows.map(({ group }) => group)).toEqual(['solve.abduction', NO_GROUP]);
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
    [[{ ...row, advantage: 'high' }], /row 0: advantage is "high"; accepted is a number that float32 holds/],
    [[{ ...row, advantage: 1e300 }], /row 0: advantage is 1e\+300; accepted is a number that float32 holds/],
    [[{ ...row, ids: [1, -2, 3, 4, 5] }], /row 0: ids\[1\] is -2; accepted is a list of at least two tokens/],
    [[{ ...row, ids: [1] }], /row 0: ids is \[1\]; accepted is a list of at least two tokens/],
    [[{ ...row, mask: [0, 0, 2, 0, 1] }], /row 0: mask\[2\] is 2; accepted is a list of 0 and 1/],
    [[{ ...row, group: '' }], /row 0: group is ""; accepted is a text/],
    [[{ ids: row.ids }], /row 0 has no mask; accepted is \{ids, mask, advantage, oldLogprobs\}/],
    [[{ ...row, reward: 1 }], /row 0 has reward; accepted is \{ids, mask, advantage, oldLogprobs\}/],
    [[5], /row 0 is 5; accepted is \{ids, mask, advantage, oldLogprobs\}/],
    [
      [{ ...row, oldLogprobs: [0, 0, 0.5, -2, -3] }],
      /row 0: oldLogprobs is 0\.5 for token 2, whose mask is 1; accepted are log-probabilities/,
    ],
    [[{ ...row, oldLogprobs: [0, 0, -1e300, -2, -3] }], /oldLogprobs is -1e\+300 for token 2/],
  ])('is refused: %j', async (content, message) => {
    await expect(read(content)).rejects.toThrow(message);
  });

  it('is refused where it is missing or no JSON', async () => {
    await expect(readBatchFile(file)).rejects.toThrow(/batch\.json cannot be read \(ENOENT\)/);
    await writeFile(file, '[');
    await expect(readBatchFile(file)).rejects.toThrow(/batch\.json is not JSON/);
  });
});
