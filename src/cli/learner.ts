/** `azr learner step`: one update of a model folder from a batch in a file. */
import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { NO_GROUP, readBatchFile } from '../learner/batch-file.js';
import { COMPUTES, type LearnConfig } from '../policy/port.js';
import { say, sayJson } from './output.js';
import { dtypeOption, naming, numberOption, withPretrained } from './pretrained.js';

interface StepOptions {
  readonly model: string;
  readonly adapter?: string;
  readonly batch: string;
  readonly out: string;
  readonly lr: string;
  readonly weightDecay: string;
  readonly maxGradNorm: string;
  readonly clipLow: string;
  readonly clipHigh: string;
  readonly entropy: string;
  readonly aggregation: string;
  readonly microbatchRows: string;
  readonly recompute?: boolean;
  readonly compute: string;
  readonly dtype: string;
  readonly json?: boolean;
}

export function addLearnerCommands(program: Command): void {
  program
    .command('learner')
    .description('the learner by itself, without a run')
    .command('step')
    .description('one AdamW update of the clipped policy loss; writes a folder of the same layout')
    .requiredOption('--model <dir>')
    .option('--adapter <dir>', 'as PEFT lays it out: it is trained over the model, and written in its layout')
    .requiredOption('--batch <file>', 'JSON: rows of {ids, mask, advantage, oldLogprobs}')
    .requiredOption('--out <dir>', 'a new or empty folder, or a model of before, which is replaced')
    .option('--lr <n>', 'learning rate', '1e-6')
    .option('--weight-decay <n>', 'decoupled', '0.01')
    .option('--max-grad-norm <n>', 'clip by global norm; 0 is none', '1')
    .option('--clip-low <n>', 'ratios from 1 - n', '0.2')
    .option('--clip-high <n>', 'ratios to 1 + n', '0.2')
    .option('--entropy <n>', "coefficient of the entropy's bonus", '0')
    .option(
      '--aggregation <how>',
      'token: mean over tokens; sequence: mean over rows of their means',
      'token',
    )
    .option('--microbatch-rows <n>', 'rows that go through the device at once', '8')
    .option('--recompute', 'compute activations again for the gradients: less memory, more time')
    .option('--compute <type>', 'in which matrix products are taken: float32, bfloat16', 'float32')
    .option('--dtype <type>', 'of the weights that are written: F32, F16, BF16', 'F32')
    .option('--json', 'print the metrics as JSON')
    .addHelpText(
      'after',
      `
mask and oldLogprobs have one entry a token of ids (the first is not looked at), or one a token but the first, as
\`azr model logits\` prints them. Rows may have a group, as in "solve.abduction": the metrics then have these too, each with
its rows, tokens, entropy and loss. The optimiser begins anew: betas 0.9 and 0.999, epsilon 1e-8.`,
    )
    .action(async (options: StepOptions) => {
      const rows = await naming(() => readBatchFile(options.batch));
      const dtype = dtypeOption(options.dtype);
      const config = configOf(options);
      const metrics = await withPretrained(
        options.model,
        async (model) => {
          const what = options.adapter === undefined ? 'model' : 'adapter';
          await model.checkSave(options.out, what);
          const { groups, ...means } = await model.step(rows, config);
          const statistics = rows.some(({ group }) => group !== NO_GROUP) ? { ...means, groups } : means;
          await (what === 'model'
            ? model.save(options.out, { dtype })
            : model.saveAdapter(options.out, { dtype }));
          return { ...statistics, config };
        },
        options,
      );
      if (options.json === true) sayJson(metrics);
      else
        say(
          `loss ${metrics.loss}, gradient norm ${metrics.gradNorm}, entropy ${metrics.entropy} nats, ${metrics.tokens} tokens of ${metrics.rows} rows; the new ${options.adapter === undefined ? 'model' : 'adapter'} is in ${options.out}`,
        );
    });
}

function configOf(options: StepOptions): LearnConfig {
  const atLeastZero = (option: string, text: string): number =>
    numberOption(option, text, 'numbers from 0', (n) => Number.isFinite(n) && n >= 0);
  const { aggregation } = options;
  if (aggregation !== 'token' && aggregation !== 'sequence')
    throw new UsageError(`--aggregation is ${JSON.stringify(aggregation)}; accepted are token, sequence`);
  const compute = COMPUTES.find((name) => name === options.compute);
  if (compute === undefined)
    throw new UsageError(
      `--compute is ${JSON.stringify(options.compute)}; accepted are ${COMPUTES.join(', ')}`,
    );
  return {
    learningRate: atLeastZero('--lr', options.lr),
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: atLeastZero('--weight-decay', options.weightDecay),
    maxGradNorm: atLeastZero('--max-grad-norm', options.maxGradNorm),
    clipLow: numberOption('--clip-low', options.clipLow, 'numbers from 0 to 1', (n) => n >= 0 && n <= 1),
    clipHigh: atLeastZero('--clip-high', options.clipHigh),
    entropyCoefficient: atLeastZero('--entropy', options.entropy),
    minibatches: 1,
    microbatchRows: numberOption(
      '--microbatch-rows',
      options.microbatchRows,
      'integers from 1',
      (n) => Number.isInteger(n) && n >= 1,
    ),
    aggregation,
    shuffleSeed: 0,
    ...(options.recompute === true ? { recompute: true } : {}),
    ...(compute === 'float32' ? {} : { compute }),
  };
}
