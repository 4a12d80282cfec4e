/**
 * Events whose completions have thousands of tokens, as a policy of billions of parameters writes them. The text is this
 * repository's own prose and code, cut into pieces of a word or a sign with the blank before it (about four characters, as
 * a tokenizer's); a piece's id is its hash below the vocabulary's size, so ids repeat as words do. Log-probabilities: most
 * near 0, some far from it (-5 u^8 for u uniform): their last bits are noise, as in the real ones.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AzrEvent } from '../../schemas/generated/events.js';
import { repositoryRoot } from '../../src/config/paths.js';
import { idOf, seedOf } from '../../src/coordinates.js';
import { Random } from '../../src/random.js';

const VOCABULARY = 151_643;
const PROMPT_TOKENS = 600;

/** Pieces of all documents and sources, in the order of their paths. */
async function pieces(): Promise<string[]> {
  const root = repositoryRoot();
  const texts: string[] = [];
  for (const folder of ['docs', 'src', 'pipelines', 'workflows']) {
    const files = await readdir(path.join(root, folder), { recursive: true });
    for (const file of files.filter((name) => /\.(md|ts|py)$/.test(name)).sort())
      texts.push(await readFile(path.join(root, folder, file), 'utf8'));
  }
  return texts.join('\n').match(/\s?[A-Za-z]{1,8}|\s?\d{1,3}|\s+|\S/g) ?? [];
}

const tokenOf = (piece: string): number =>
  createHash('sha256').update(piece).digest().readUInt32BE(0) % VOCABULARY;

/** One group of an attempt and its learner's row each, `count` times. @param tokens of a completion. */
export async function longEvents(count: number, tokens: number): Promise<AzrEvent[]> {
  const source = await pieces();
  const ids = source.map(tokenOf);
  const events: AzrEvent[] = [];
  for (let i = 0; i < count; i++) {
    const random = new Random(seedOf('long-texts', i));
    const start = random.below(source.length - tokens - PROMPT_TOKENS);
    const text = source.slice(start, start + tokens).join('');
    const completionTokens = ids.slice(start, start + tokens);
    const promptTokens = ids.slice(start + tokens, start + tokens + PROMPT_TOKENS);
    const logProbs = completionTokens.map(() => Math.fround(-5 * random.uniform() ** 8));
    const envelope = {
      eventId: idOf('long-texts', i),
      runId: 'long',
      iteration: 1 + Math.floor(i / 384),
      correlationId: idOf('long-texts'),
      causationId: null,
      policyVersion: 1,
      occurredAt: 1_767_225_600_000 + i,
      codeVersion: 'bench',
    };
    const groupId = idOf('long-group', i);
    events.push(
      {
        type: 'SolutionSampled',
        envelope,
        data: {
          groupId,
          taskId: idOf('long-task', i),
          kind: 'deduction',
          purpose: 'solve',
          index: i,
          templateVersion: 'text-v1',
          promptText: source.slice(start + tokens, start + tokens + PROMPT_TOKENS).join(''),
          promptTokens,
          givenPairs: [],
          hiddenPairs: [],
          temperature: 1,
          attempts: [
            {
              sample: 0,
              seed: seedOf('long', i),
              completionText: text,
              completionTokens,
              logProbs,
              finish: 'end',
              thought: text.slice(0, -80),
              answer: text.slice(-40),
              formatOk: true,
            },
          ],
        },
      },
      {
        type: 'LearnerSample',
        envelope: { ...envelope, eventId: idOf('long-sample', i) },
        data: {
          batchId: idOf('long-batch'),
          sampleId: idOf('long-sample-row', i),
          role: 'solve',
          kind: 'deduction',
          subjectId: groupId,
          sample: 0,
          promptTokens,
          completionTokens,
          logProbs,
          grammar: null,
          reward: 1,
          advantage: 0.5,
          place: 0,
        },
      },
    );
  }
  return events;
}
