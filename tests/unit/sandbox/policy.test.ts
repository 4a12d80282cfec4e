import { describe, expect, it } from 'vitest';
import {
  checkPolicy,
  policyOf,
  PUBLISHED_BANNED_IMPORTS,
  refuseByPolicy,
  type StaticPolicy,
} from '../../../src/sandbox/policy.js';
import type { Analysis } from '../../../src/sandbox/port.js';

const analysis = (facts: Partial<Analysis>): Analysis => ({
  parses: true,
  error: '',
  imports: [],
  uses: [],
  keywords: [],
  refused: [],
  definesF: true,
  pure: false,
  stateless: true,
  ordered: false,
  why: '',
  ...facts,
});
const banning = (...bannedImports: string[]): StaticPolicy => ({ ...policyOf('published'), bannedImports });
const found = (facts: Partial<Analysis>, policy: StaticPolicy) => refuseByPolicy(analysis(facts), policy);

describe('static policies', () => {
  it('compare words with parts of imports, never with pieces of a word', () => {
    const policy = banning('time');
    expect(found({ imports: ['time'] }, policy)).toEqual({ reason: 'banned-import', detail: 'time' });
    expect(found({ imports: ['a.time.b'] }, policy)?.detail).toBe('a.time.b');
    expect(found({ imports: ['timeit', 'times', 'a.mytime'] }, policy)).toBeUndefined();
  });

  it('find dotted entries in imports and in uses, as whole parts that follow each other', () => {
    const policy = banning('os.path');
    expect(found({ imports: ['os'] }, policy)).toBeUndefined();
    expect(found({ imports: ['os.path'] }, policy)?.detail).toBe('os.path');
    expect(found({ imports: ['os'], uses: ['os.path.join'] }, policy)?.detail).toBe('os.path.join');
    expect(
      found({ imports: ['os', 'path'], uses: ['os.pathsep', 'macos.path', 'os.x.path'] }, policy),
    ).toBeUndefined();
  });

  it('strict bans by words in uses and by names, published does neither', () => {
    const facts = { imports: ['numpy'], uses: ['numpy.random.rand'] };
    expect(found(facts, policyOf('strict'))?.detail).toBe('numpy.random.rand');
    expect(found(facts, policyOf('published'))).toBeUndefined();
    expect(found({ refused: ['__import__'] }, policyOf('strict'))).toEqual({
      reason: 'banned-name',
      detail: '__import__',
    });
    expect(found({ refused: ['__import__'] }, policyOf('published'))).toBeUndefined();
    expect(found({ imports: ['sys'] }, policyOf('strict'))?.reason).toBe('banned-import');
    expect(found({ imports: ['sys'], uses: ['sys.maxsize'] }, policyOf('published'))).toBeUndefined();
  });

  it('every published word refuses something', () => {
    expect(PUBLISHED_BANNED_IMPORTS).toHaveLength(16);
    for (const word of PUBLISHED_BANNED_IMPORTS)
      expect([word, found({ imports: [word] }, policyOf('published'))?.detail]).toEqual([word, word]);
  });

  it('ban keywords where that is asked for', () => {
    const policy = { ...policyOf('strict'), bannedKeywords: ['raise', 'assert'] };
    expect(found({ keywords: ['for', 'raise'] }, policy)).toEqual({
      reason: 'banned-keyword',
      detail: 'raise',
    });
    expect(found({ keywords: ['for', 'raise'] }, policyOf('strict'))).toBeUndefined();
  });

  it('name what is wrong with them', () => {
    expect(() => policyOf('lenient')).toThrow('policy is "lenient"; accepted are strict, published');
    expect(() => checkPolicy({ ...policyOf('strict'), bannedKeywords: ['rise'] })).toThrow(
      /bannedKeywords has "rise"; accepted are assert, async/,
    );
    expect(() => checkPolicy(banning('os path'))).toThrow(/bannedImports has "os path"; accepted are names/);
  });
});
