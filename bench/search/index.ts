/**
 * npm run bench -- search: self-play of the tiny policy in one process, to search for settings that learn.
 *
 * The policy, the engine, the codec, the buffer, the rewards, the advantages and the learner's steps are those of a run,
 * under the same configuration keys; only what surrounds them is left out: no log, no workflow, no sandbox. What it finds
 * is to be confirmed with real runs: npm run bench -- learning.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { warmUpBatches, warmUpConfig } from '../../src/activities/warm-up.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { UsageError } from '../../src/config/errors.js';
import { tinyPolicy } from '../../src/config/policy.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import type { RunConfig } from '../../src/config/run.js';
import { seedOf } from '../../src/coordinates.js';
import { heldOutOf } from '../../src/evaluation/tiny-held-out.js';
import { learnConfig } from '../../src/learner/learn-inputs.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { PolicyCodec } from '../../src/policy/codec.js';
import type { CheckpointRef, ModelSpec, PolicyEngine } from '../../src/policy/port.js';
import { tinyCodecOf } from '../../src/policy/tiny/codec.js';
import { tinyFeatures } from '../../src/policy/tiny/features.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { taskKinds } from '../../src/tasks/index.js';
import { TASK_KINDS } from '../../src/tasks/types.js';
import { runBench } from '../run-bench.js';
import { fromCheckpoint } from './from-checkpoint.js';
import { accuracyOf, lengthOf } from './judging.js';
import { SelfPlay } from './self-play.js';

const USAGE = `npm run bench -- search [options]
  --preset NAME     default tiny
  --set KEY=VALUE   override a key of the configuration
  --iterations N    default 20; 0 shows the warmed-up policy alone
  --every N         iterations between evaluations (default 5)
  --from FOLDER     a run's checkpoint in place of a warmed-up policy; it answers in the grammar of the preset's domain
  --sampled         evaluate sampled answers too, at the start and the end
  --attempts K      of the sampled ones, at each question; shown are the share of right ones and of questions with one (default 1)`;

const FOLDER = path.resolve('.azr', 'search');

function readArguments() {
  try {
    return parseArgs({
      options: {
        preset: { type: 'string', default: 'tiny' },
        set: { type: 'string', multiple: true, default: [] },
        iterations: { type: 'string', default: '20' },
        every: { type: 'string', default: '5' },
        attempts: { type: 'string', default: '1' },
        from: { type: 'string' },
        sampled: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

function count(name: string, text: string, low: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low)
    throw new UsageError(`--${name} is ${text}; accepted are integers from ${low}`);
  return value;
}

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const iterations = count('iterations', options.iterations, 0);
  const every = count('every', options.every, 1);
  const attempts = count('attempts', options.attempts, 1);
  const { config } = await resolveRunConfig(options.preset, options.set);
  const engine = new TensorflowEngine(Number(process.env['TF_NUM_INTRAOP_THREADS'] ?? '1'));
  const began = Date.now();
  const say = (line: string): void =>
    console.log(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}`);

  const policy = tinyPolicy(config.policy);
  const spec = tinySpec(policy.model, tinyFeatures(policy, config.propose));
  let checkpoint =
    options.from === undefined
      ? await warmedUp(engine, config, spec, say)
      : await fromCheckpoint(options.from, spec, path.join(FOLDER, `from-${process.pid}`));
  const start = checkpoint;
  const evaluateBoth = async (iteration: number): Promise<void> => {
    say(`${iteration} greedy  ${await heldOut(engine, config, checkpoint, iteration)}`);
    if (options.sampled && (iteration === 0 || iteration === iterations))
      say(`${iteration} sampled ${await heldOut(engine, config, checkpoint, iteration, attempts)}`);
  };
  await evaluateBoth(0);

  const steps = path.join(FOLDER, `steps-${process.pid}`);
  const game = new SelfPlay(engine, config, codecOf(config));
  let samples = 0;
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const played = await game.iteration(checkpoint, iteration);
    samples += played.samples;
    const { checkpoint: next, statistics } = await engine.learn(
      checkpoint,
      played.rows,
      learnConfig(config, iteration),
      path.join(steps, String(iteration)),
      config.learner.klCoefficient === 0 ? {} : { reference: start },
    );
    checkpoint = next;
    if (iteration % every !== 0 && iteration !== iterations) continue;
    const solved = [...played.solved].map(
      ([kind, { attempts, correct }]) => `${kind} ${percent(correct, attempts)}`,
    );
    const lengths = [...played.lengths].sort().map(([key, n]) => `${key}: ${n}`);
    const entropies = Object.entries(statistics.groups).map(
      ([g, { entropy }]) => `${g} ${entropy.toFixed(2)}`,
    );
    say(
      `${iteration} samples ${samples}; solved in training ${solved.join(', ')}; new tasks ${lengths.join(', ')}; repeats ${played.repeats}; entropy ${entropies.join(', ')}`,
    );
    await evaluateBoth(iteration);
  }
  await engine.close();
  await rm(steps, { recursive: true, force: true });
  return EXIT.ok;
}

/** Version 0, kept beside other searches' by what it depends on. */
async function warmedUp(
  engine: PolicyEngine,
  config: RunConfig,
  spec: ModelSpec,
  say: (line: string) => void,
): Promise<CheckpointRef> {
  const policy = tinyPolicy(config.policy);
  const key = createHash('sha256')
    .update(JSON.stringify([config.seed, policy, config.propose.references]))
    .digest('hex')
    .slice(0, 16);
  const note = path.join(FOLDER, `${key}.json`);
  const known = await readFile(note, 'utf8').catch(() => undefined);
  if (known !== undefined) return JSON.parse(known) as CheckpointRef;
  await mkdir(FOLDER, { recursive: true });
  const fresh = await engine.initialise(
    spec,
    seedOf(config.seed, 'weights'),
    path.join(FOLDER, `${key}-fresh`),
  );
  if (policy.warmUp.steps === 0) return fresh;
  const onProgress = (step: number, loss: number): void => {
    if (step % 200 === 0) say(`warm-up ${step} of ${policy.warmUp.steps}, loss ${loss.toFixed(3)}`);
  };
  const { checkpoint } = await engine.imitate(
    fresh,
    warmUpBatches(config),
    warmUpConfig(config),
    path.join(FOLDER, key),
    { onProgress },
  );
  await writeFile(note, JSON.stringify(checkpoint));
  return checkpoint;
}

/**
 * Accuracy by kind, in brackets by length, and the share of answers with a thought.
 * @param attempts sampled at each question; 0 is one greedy answer. Of several, the share of questions with a right one too.
 */
async function heldOut(
  engine: PolicyEngine,
  config: RunConfig,
  checkpoint: CheckpointRef,
  iteration: number,
  attempts = 0,
): Promise<string> {
  const codec = codecOf(config);
  const tasks = heldOutOf(config).map(({ task }) => task);
  const asked = tasks.flatMap((task) =>
    Array.from({ length: Math.max(1, attempts) }, (_, attempt) => ({ task, attempt })),
  );
  const samples = await engine.sample(
    checkpoint,
    asked.map(({ task, attempt }) => {
      const { tokens, maxTokens, grammar } = codec.solvePrompt(task.kind, taskKinds[task.kind].solve(task));
      const seed = seedOf(config.seed, 'held-out', iteration, task.taskId, attempt);
      const temperature = attempts === 0 ? 0 : 1;
      const common = { id: `${task.taskId}/${attempt}`, prompt: tokens, seed, temperature, maxTokens };
      return grammar === undefined ? common : { ...common, grammar };
    }),
  );
  const answers = asked.map(({ task }, i) => {
    const sample = samples[i];
    if (sample === undefined) throw new Error(`no sample for ${task.taskId}`);
    const { answer, thought } = codec.parseSolution(task.kind, sample);
    const right = accuracyOf(task, answer) === 1;
    return { task, kind: task.kind, length: lengthOf(task.code), right, thought: thought !== null };
  });
  const score = (of: typeof answers): string => {
    const right = of.filter((answer) => answer.right);
    const all = percent(right.length, of.length);
    if (attempts < 2) return all;
    return `${all} of all, ${percent(new Set(right.map(({ task }) => task)).size * attempts, of.length)} once`;
  };
  const thinking = (of: typeof answers): string => {
    const [yes, no] = [true, false].map((thought) => of.filter((answer) => answer.thought === thought));
    const accuracy = (part: typeof answers | undefined): string =>
      percent(part?.filter(({ right }) => right).length ?? 0, part?.length ?? 0);
    return `thoughts ${percent(yes?.length ?? 0, of.length)}, right with ${accuracy(yes)}, without ${accuracy(no)}`;
  };
  return TASK_KINDS.map((kind) => answers.filter((answer) => answer.kind === kind))
    .filter((of) => of.length > 0)
    .map((of) => {
      const lengths = [...new Set(of.map(({ length }) => length))].sort();
      const byLength = lengths.map((length) => score(of.filter((answer) => answer.length === length)));
      return `${of[0]?.kind ?? ''} ${score(of)} (${byLength.join(' / ')}), ${thinking(of)}`;
    })
    .join('; ');
}

/** Of the run's domain. */
const codecOf = (config: RunConfig): PolicyCodec =>
  tinyCodecOf(tinyFeatures(tinyPolicy(config.policy), config.propose).operations);

const percent = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(0)} %`;

await runBench(main);
