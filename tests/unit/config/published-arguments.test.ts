import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../../src/config/paths.js';
import { presetNames, resolveRunConfig } from '../../../src/config/presets.js';
import {
  argumentLines,
  publishedArguments,
  publishedValue,
  translated,
  type PublishedArguments,
  type Scalar,
} from '../../../src/config/published-arguments.js';

type Scripts = Readonly<Record<string, Readonly<Record<string, string>>>>;

const file = path.join(repositoryRoot(), '..', 'shared', 'data', 'golden', 'azr-presets.json');
const scripts = await readFile(file, 'utf8').then(
  (text) => JSON.parse(text) as Scripts,
  () => undefined,
);
if (scripts === undefined)
  console.warn(`the published launch scripts are not compared: ${file} is not there; the committed list is`);

/** A published argument as YAML would have it. */
function scalarOf(text: string): Scalar {
  if (text === 'True' || text === 'False') return text === 'True';
  if (text === 'null') return null;
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number;
}

let all: PublishedArguments;
beforeAll(async () => {
  all = await publishedArguments();
});

describe('the published arguments', () => {
  it('belong to every preset of a published run', async () => {
    expect(Object.keys(all.presets).sort()).toEqual(
      (await presetNames()).filter((name) => !['small', 'smollm2', 'tiny'].includes(name)),
    );
    expect(Object.keys(all.arguments).length).toBeGreaterThanOrEqual(95);
  });

  it('have their values in each preset, under mode published', async () => {
    for (const preset of Object.keys(all.presets)) {
      const { config } = await resolveRunConfig(preset, [], 'published');
      const keyed = argumentLines(all, preset, config).filter(({ key }) => key !== null);
      expect(keyed.length).toBeGreaterThan(20);
      for (const line of keyed) expect(line.value, `${preset}: ${line.key ?? ''}`).toBeDefined();
      expect(keyed.filter(({ equal }) => equal !== true)).toEqual([]);
    }
  });

  it('differ under mode paper only where the list says so', async () => {
    for (const preset of Object.keys(all.presets)) {
      const { config } = await resolveRunConfig(preset);
      const different = argumentLines(all, preset, config).filter(({ equal }) => equal === false);
      const marked = Object.entries(all.arguments).filter(([, entry]) => 'keys' in entry && entry.mode);
      expect([...new Set(different.map(({ argument }) => argument))]).toEqual(marked.map(([name]) => name));
    }
  });

  it('a preset that departs from its script is seen', async () => {
    const { config } = await resolveRunConfig('7b', ['propose.batch=32'], 'published');
    expect(
      argumentLines(all, '7b', config)
        .filter(({ equal }) => equal === false)
        .map(({ argument, key }) => [argument, key]),
    ).toEqual([['data.train_batch_size', 'propose.batch']]);
  });

  it('translate, or say what the list knows', () => {
    const wrapper = all.arguments['reward_fn.extraction_type'];
    if (wrapper === undefined) throw new Error('reward_fn.extraction_type is not in the list');
    expect(translated(wrapper, 'answer_conditional')).toBe('think');
    expect(() => translated(wrapper, 'answer')).toThrow(/is "answer"; map knows "answer_conditional"/);
    expect(publishedValue({ none: 'it has no key here at all' }, '7b')).toBeUndefined();
  });

  it.skipIf(scripts === undefined)('are all in the list, with the values of the scripts', () => {
    const given = scripts as Scripts;
    const names = new Set(Object.values(given).flatMap((script) => Object.keys(script)));
    expect([...names].filter((name) => all.arguments[name] === undefined)).toEqual([]);
    expect(Object.keys(all.arguments).filter((name) => !names.has(name))).toEqual([]);
    for (const [preset, script] of Object.entries(all.presets)) {
      const values = given[script];
      expect(values, script).toBeDefined();
      for (const [name, entry] of Object.entries(all.arguments)) {
        if ('none' in entry) continue;
        const text = values?.[name];
        const expected = text === undefined ? entry.default : scalarOf(text);
        expect(publishedValue(entry, preset), `${script} ${name}`).toBe(expected);
      }
    }
  });
});
