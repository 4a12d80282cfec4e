/** What a learner configuration may hold. */
import { AGGREGATIONS } from '../../learner/aggregations.js';
import { COMPUTES, type ImitationConfig } from '../port.js';

/** @throws RangeError naming the parameter, its value and what is accepted. */
export function checkLearnConfig(config: ImitationConfig): void {
  const check = (name: string, value: number, ok: boolean, accepted: string): void => {
    if (!ok) throw new RangeError(`${name} is ${value}; accepted are ${accepted}`);
  };
  const atLeastZero = (name: string, value: number): void =>
    check(name, value, Number.isFinite(value) && value >= 0, 'numbers from 0');
  const count = (name: string, value: number): void =>
    check(name, value, Number.isInteger(value) && value >= 1, 'integers from 1');
  atLeastZero('learningRate', config.learningRate);
  config.betas.forEach((beta, i) =>
    check(`betas[${i}]`, beta, beta >= 0 && beta < 1, 'numbers from 0 to below 1'),
  );
  check('epsilon', config.epsilon, Number.isFinite(config.epsilon) && config.epsilon > 0, 'numbers above 0');
  atLeastZero('weightDecay', config.weightDecay);
  atLeastZero('maxGradNorm', config.maxGradNorm);
  check('clipLow', config.clipLow, config.clipLow >= 0 && config.clipLow <= 1, 'numbers from 0 to 1');
  atLeastZero('clipHigh', config.clipHigh);
  check(
    'entropyCoefficient',
    config.entropyCoefficient,
    Number.isFinite(config.entropyCoefficient),
    'finite numbers',
  );
  if (config.dualClip !== undefined)
    check(
      'dualClip',
      config.dualClip,
      Number.isFinite(config.dualClip) && config.dualClip > 1,
      'numbers above 1',
    );
  if (config.klCoefficient !== undefined)
    check(
      'klCoefficient',
      config.klCoefficient,
      Number.isFinite(config.klCoefficient) && config.klCoefficient > 0,
      'numbers above 0',
    );
  if (config.linearDecaySteps !== undefined) count('linearDecaySteps', config.linearDecaySteps);
  count('minibatches', config.minibatches);
  count('microbatchRows', config.microbatchRows);
  check('shuffleSeed', config.shuffleSeed, Number.isSafeInteger(config.shuffleSeed), 'safe integers');
  if (!AGGREGATIONS.includes(config.aggregation))
    throw new RangeError(
      `aggregation is ${JSON.stringify(config.aggregation)}; accepted are ${AGGREGATIONS.join(', ')}`,
    );
  if (config.compute !== undefined && !COMPUTES.includes(config.compute))
    throw new RangeError(`compute is ${JSON.stringify(config.compute)}; accepted are ${COMPUTES.join(', ')}`);
}
