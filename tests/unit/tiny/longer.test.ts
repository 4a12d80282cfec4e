/** The tiny domain with programs of up to five operations (`policy.operations`). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveRunConfig } from '../../../src/config/presets.js';
import { heldOutOf, tinyHeldOut } from '../../../src/evaluation/tiny-held-out.js';
import { canonicalProgram, canonicalPrograms } from '../../../src/policy/tiny/canonical.js';
import { tinyCodec, tinyCodecOf } from '../../../src/policy/tiny/codec.js';
import { PLAIN } from '../../../src/policy/tiny/features.js';
import { isHeldOut, isHeldOutText } from '../../../src/policy/tiny/generator.js';
import { accepts, TINY_GRAMMAR, tinyGrammar } from '../../../src/policy/tiny/grammar.js';
import {
  MOST_OPERATIONS,
  OPERATIONS,
  parseList,
  parseProgram,
  renderList,
  renderProgram,
  trace,
} from '../../../src/policy/tiny/operations.js';
import { tinySpec } from '../../../src/policy/tiny/spec.js';
import { tokensToText } from '../../../src/policy/tiny/vocabulary.js';
import { warmUpRows } from '../../../src/policy/tiny/warm-up.js';
import { Random } from '../../../src/random.js';
import { taskKinds } from '../../../src/tasks/index.js';
import type { Task } from '../../../src/tasks/types.js';

const FEATURES = { ...PLAIN, operations: MOST_OPERATIONS };
const codec = tinyCodecOf(MOST_OPERATIONS);
const MIX = {
  proposeShare: 0.4,
  proposeLengths: [0, 0, 1, 1, 1],
  solveLengths: [0, 0, 1, 1, 1],
  thinkShares: [0.5, 0.5, 0.5],
  kinds: [1, 1, 1],
  maxReferences: 2,
  directLengths: null,
  inductionTargets: 'canonical',
} as const;
/** Operations that make every list longer: the longest sentences. */
const GROWING = Array.from({ length: MOST_OPERATIONS }, () => 7);
const taskOf = (kind: Task['kind'], operations: readonly number[], inputs: readonly number[][]): Task => ({
  taskId: 't',
  kind,
  code: renderProgram(operations),
  inputs: inputs.map(renderList),
  outputs: inputs.map((input) => renderList(trace(operations, input).at(-1) ?? [])),
  message: null,
});
const name = (code: string): Task['kind'] => code.split('.')[1] as Task['kind'];

describe('programs of up to five operations', () => {
  it('are 271,452, which are 17,398 functions: each has one canonical program, equal to it and not longer', () => {
    expect([1, 2, 3, 4, 5].reduce((sum, length) => sum + OPERATIONS.length ** length, 0)).toBe(271_452);
    expect([1, 2, 3, 4, 5].map((length) => canonicalPrograms(length).size)).toEqual([
      12, 107, 683, 3663, 17_398,
    ]);
    const operations = fc.array(fc.nat(OPERATIONS.length - 1), { minLength: 4, maxLength: MOST_OPERATIONS });
    fc.assert(
      fc.property(operations, fc.array(fc.nat(9), { minLength: 3, maxLength: 4 }), (ops, x) => {
        const canonical = canonicalProgram(ops);
        expect(trace(canonical, x).at(-1)).toEqual(trace(ops, x).at(-1));
        expect(canonical.length).toBeLessThanOrEqual(ops.length);
        expect(canonicalProgram(canonical)).toEqual(canonical);
      }),
      { numRuns: 1000 },
    );
  });

  it('take the vocabulary and the shape of the plain domain: only the grammar is another', () => {
    const model = { layers: 1, width: 8, heads: 2, hidden: 8, context: 112 };
    const { grammar, ...plain } = tinySpec(model);
    const { grammar: wider, ...longer } = tinySpec(model, FEATURES);
    expect(longer).toEqual(plain);
    expect(wider?.states).toBeGreaterThan(grammar?.states ?? 0);
    expect(tinyGrammar({ ...FEATURES, operations: 3 })).toBe(TINY_GRAMMAR);
  });

  it('are what the warm-up shows, within the grammar, the limits and no held-out pair', () => {
    const grammar = tinyGrammar(FEATURES);
    const lengths = new Set<number>();
    for (const { group, prompt, completion } of warmUpRows(21, 4000, MIX, FEATURES)) {
      expect(accepts(grammar, group, completion), `${group}: ${tokensToText(completion)}`).toBe(true);
      const [role, kind] = group.split('.');
      if (role === 'propose') {
        if (kind === 'induction') continue;
        const parsed = codec.parseProposal(name(group), { tokens: completion, finish: 'end' }, null);
        if (!parsed.ok) throw new Error(parsed.detail);
        lengths.add(parseProgram(parsed.code)?.length ?? 0);
        expect(isHeldOutText(parsed.code, parsed.inputs[0] ?? '')).toBe(false);
        continue;
      }
      const { formatOk, answer } = codec.parseSolution(name(group), { tokens: completion, finish: 'end' });
      expect(formatOk).toBe(true);
      if (kind !== 'induction') continue;
      const program = parseProgram(answer ?? '') ?? [];
      expect(canonicalProgram(program)).toEqual(program);
      // Thoughts about induction end at three operations.
      if (program.length > 3) expect(tokensToText(completion)).not.toContain('<think>');
      for (const pair of tokensToText(prompt.slice(1)).split(' | ')) {
        const [x = '', y = ''] = `${pair} `.split(' -> ').map((text) => text.trim());
        const input = x.split(' ').map(Number);
        expect(trace(program, input).at(-1)?.join(' ')).toBe(y);
        expect(isHeldOut(program, input)).toBe(false);
      }
    }
    expect([...lengths].sort()).toEqual([3, 4, 5]);
  });

  it('leave every walk through the grammar within the codec’s limits and the preset’s context', async () => {
    const { config } = await resolveRunConfig('small');
    const { policy } = config;
    if (policy.kind !== 'tiny') throw new Error(policy.kind);
    const { allowed, next, start, vocabulary } = tinyGrammar(FEATURES);
    const shown = { code: renderProgram(GROWING), input: '[1, 2, 3, 4]', output: '[]' };
    for (const [group, from] of Object.entries(start)) {
      const kind = name(group);
      const inputs = Array.from({ length: kind === 'induction' ? 4 : 1 }, () => [1, 2, 3, 4]);
      const task = taskOf(kind, GROWING, inputs);
      const references = Array.from({ length: config.propose.references }, () => shown);
      const prompt = group.startsWith('propose')
        ? codec.proposePrompt(kind, references, kind === 'induction' ? task.code : null)
        : codec.solvePrompt(kind, taskKinds[kind].solve(task));
      expect(prompt.tokens.length + prompt.maxTokens, group).toBeLessThanOrEqual(policy.model.context);
      const random = new Random(3);
      for (let walk = 0; walk < 300; walk++) {
        let state = from;
        let length = 0;
        for (let t = 0; t !== 1; length++) {
          const options = Array.from({ length: vocabulary }, (_, i) => i).filter(
            (i) => allowed[state * vocabulary + i] === 1,
          );
          // Ends as late as it can.
          const longer = options.filter((i) => i !== 1 && i !== 9);
          const from = longer.length > 0 && walk % 2 === 0 ? longer : options;
          t = from[random.below(from.length)] ?? 1;
          state = next[state * vocabulary + t] ?? -1;
        }
        expect(length, group).toBeLessThanOrEqual(prompt.maxTokens);
      }
    }
  });

  it('are tasks of this codec, and not of the plain one', () => {
    const task = taskOf('deduction', GROWING, [[1, 2, 3, 4]]);
    expect(codec.expresses(task)).toBe(true);
    expect(tinyCodec.expresses(task)).toBe(false);
    expect(tinyCodecOf(4).expresses(task)).toBe(false);
    expect(tokensToText(codec.proposePrompt('induction', [], task.code).tokens)).toBe(
      `propose.induction ${Array.from({ length: 5 }, () => 'append-first').join(' ')}`,
    );
    expect(() => tinyCodec.proposePrompt('induction', [], task.code)).toThrow(/4/);
  });
});

describe('held-out questions about longer programs', () => {
  it('come behind those about shorter ones, which stay what they are', async () => {
    const longer = tinyHeldOut(30, MOST_OPERATIONS);
    expect(longer).toHaveLength(3 * 5 * 30);
    const short = longer.filter(({ bucket }) => !['length 4', 'length 5'].includes(bucket));
    expect(short).toEqual(tinyHeldOut(30));
    for (const { task, bucket } of longer) {
      const operations = parseProgram(task.code) ?? [];
      expect(bucket).toBe(`length ${operations.length}`);
      task.inputs.forEach((text, i) => {
        expect(isHeldOutText(task.code, text)).toBe(true);
        expect(renderList(trace(operations, parseList(text) ?? []).at(-1) ?? [])).toBe(task.outputs[i]);
      });
    }
    const buckets = async (preset: string, ...set: string[]): Promise<string[]> => [
      ...new Set(heldOutOf((await resolveRunConfig(preset, set)).config).map(({ bucket }) => bucket)),
    ];
    expect(await buckets('tiny')).toEqual(['length 1', 'length 2', 'length 3']);
    expect(await buckets('tiny', 'evaluation.operations=4')).toHaveLength(4);
    expect(await buckets('small')).toHaveLength(5);
  });
});

describe('the configuration of longer programs', () => {
  it('refuses weights of lengths that no program has', async () => {
    await expect(resolveRunConfig('tiny', ['policy.warmUp.solveLengths=[1, 1, 1, 1]'])).rejects.toThrow(
      /policy\.warmUp\.solveLengths.*weights of 4 lengths; accepted are up to policy\.operations, 3/s,
    );
    await expect(resolveRunConfig('small', ['policy.operations=4'])).rejects.toThrow(/accepted are up to/);
    await expect(resolveRunConfig('tiny', ['policy.operations=6'])).rejects.toThrow(/policy\.operations/);
    await expect(resolveRunConfig('tiny', ['propose.uniformLengths=[1, 1, 1, 1]'])).rejects.toThrow(
      /propose\.uniformLengths/,
    );
  });

  it('adds no key to a preset that has none: its hash stays', async () => {
    const { json } = await resolveRunConfig('tiny');
    expect(json).not.toContain('"operations"');
  });
});
