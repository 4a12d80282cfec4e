/** Which build of the TensorFlow library set-up takes. */
import { describe, expect, it } from 'vitest';
import { load } from './scripts.js';

const { tensorflowBuild, tensorflowFolder } = await load('tensorflow.mjs');

describe('tensorflowBuild', () => {
  const driver = (file: string): boolean => file === '/dev/nvidiactl';
  const nothing = (): boolean => false;

  it('takes the CUDA build where an NVIDIA driver is, and says by what it knows', () => {
    expect(tensorflowBuild(undefined, driver)).toEqual({
      build: 'cuda',
      reason: 'an NVIDIA driver is here (/dev/nvidiactl)',
    });
    expect(tensorflowBuild('auto', nothing)).toEqual({ build: 'cpu', reason: 'no NVIDIA driver' });
  });

  it('takes what is asked for, whatever is there', () => {
    expect(tensorflowBuild('cpu', driver).build).toBe('cpu');
    expect(tensorflowBuild('cuda', nothing).build).toBe('cuda');
  });

  it('keeps the builds apart', () => {
    expect(tensorflowFolder('/cache', 'cuda')).not.toBe(tensorflowFolder('/cache', 'cpu'));
  });

  it('names a value that it does not know', () => {
    expect(() => tensorflowBuild('gpu', nothing)).toThrow(
      'AZR_TENSORFLOW is gpu; accepted are auto, cpu, cuda',
    );
  });
});
