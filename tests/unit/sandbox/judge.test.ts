import { describe, expect, it } from 'vitest';
import { checkItem, type JudgeItem } from '../../../src/sandbox/judge.js';
import { resolveLimits } from '../../../src/sandbox/limits.js';
import { agree, decodeFrame, decodeSingle } from '../../../src/sandbox/outcome.js';

const value = (text: string) => ({ kind: 'value', text }) as const;

it('an item to judge is refused with the name of what it lacks', () => {
  const item = { id: 'x', kind: 'abduction', code: 'c', answer: '1' } as const;
  expect(() => checkItem(item)).toThrow('item x: output is missing; accepted is a text');
  expect(() => checkItem({ ...item, kind: 'guess' } as unknown as JudgeItem)).toThrow(/kind is "guess"/);
  expect(() => checkItem({ ...item, kind: 'induction', pairs: [] })).toThrow(/pairs is \[\]/);
});

describe('frames of a hostile child', () => {
  const reply = { frames: ['V1'], broken: false, end: 'exit', code: 0, cpu: 0, rss: 0 } as const;
  it('are literals or nothing', () => {
    expect(decodeFrame('V[1, 2]', 100).outcome).toEqual(value('[1, 2]'));
    for (const forged of ['', 'V', 'Vx', 'V1+1', 'X1', 'V__import__("os")', '\n'])
      expect([forged, decodeFrame(forged, 100).outcome.kind]).toEqual([forged, 'no-result']);
    expect(decodeFrame(`V'${'x'.repeat(200)}'`, 100).outcome.kind).toBe('too-large');
    expect(decodeFrame('Vnan', 100).outcome.kind).toBe('nan');
    expect(decodeFrame('RKeyError\nat 0x7f00deadbeef', 100).outcome).toEqual({
      kind: 'raised',
      error: 'KeyError',
      message: 'at 0x...',
    });
  });

  it('count only with a clean end', () => {
    expect(decodeSingle(reply, 100).outcome).toEqual(value('1'));
    expect(decodeSingle({ ...reply, code: 1 }, 100).outcome.kind).toBe('no-result');
    expect(decodeSingle({ ...reply, broken: true }, 100).outcome.kind).toBe('no-result');
    expect(decodeSingle({ ...reply, frames: ['V1', 'V1'] }, 100).outcome.kind).toBe('no-result');
    expect(decodeSingle({ ...reply, end: 'timeout' }, 100).outcome.kind).toBe('timeout');
    expect(decodeSingle({ ...reply, end: 'signal', code: 11 }, 100).outcome).toEqual({
      kind: 'killed',
      signal: 11,
    });
  });

  it('must agree between seeds by value', () => {
    const d = (frame: string) => decodeFrame(frame, 1000);
    expect(agree([d('V{1, 2}'), d('V{2, 1}')])).toEqual(value('{1, 2}'));
    expect(agree([d('V1'), d('V2')]).kind).toBe('nondeterministic');
    expect(agree([d('V1'), d('RE\n')]).kind).toBe('nondeterministic');
    expect(agree([d('RE\na'), d('RE\nb')])).toEqual({ kind: 'raised', error: 'E', message: '' });
  });
});

it('limits name the one that is wrong', () => {
  expect(() => resolveLimits({ cpuMs: 0 })).toThrow(
    'limits.cpuMs is 0; accepted are integers from 1 to 600000',
  );
  expect(resolveLimits({ cpuMs: 5 }).memoryMiB).toBe(512);
});
