/**
 * npm run bench -- search: self-play of the tiny policy in one process, to search for settings that learn.
 *
 * The policy, the engine, the codec, the buffer, the rewards, the advantages and the learner's steps are those of a run,
 * under the same configuration keys; only what surrounds them is left out: no log, no workflow, no sandbox (programs are
 * evaluated by the domain's own operations, which a property test holds to CPython). What it finds is to be confirmed
 * with real runs: npm run bench -- learning.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { drawProgramTask, drawReferences, drawSolverTasks } from '../../src/buffer/sampling.js';
import {
  acceptTask,
  emptyBuffer,
  recordVerdict,
  repeatReason,
  type BufferedTask,
} from '../../src/buffer/task-buffer.js';
import { warmUpBatches, warmUpConfig } from '../../src/activities/warm-up.js';
import { bufferPolicy } from '../../src/activities/buffer-view.js';
import { resolveRunConfig } from '../../src/config/presets.js';
import { tinyPolicy } from '../../src/config/policy.js';
import { seedOf } from '../../src/coordinates.js';
import { tinyHeldOut } from '../../src/evaluation/tiny-held-out.js';
import { learnConfig } from '../../src/learner/learn-inputs.js';
import { learnerBatch, learnerBatchSettings } from '../../src/learner/learner-batch.js';
import { TensorflowEngine } from '../../src/policy/engine/tensorflow-engine.js';
import type { CheckpointRef, LearnRow, SampleRequest } from '../../src/policy/port.js';
import { tinyCodec } from '../../src/policy/tiny/codec.js';
import { isHeldOutText } from '../../src/policy/tiny/generator.js';
import { parseList, parseProgram, renderList, trace } from '../../src/policy/tiny/operations.js';
import { tinySpec } from '../../src/policy/tiny/spec.js';
import { uniformTasks } from '../../src/policy/tiny/uniform-tasks.js';
import { Random } from '../../src/random.js';
import { iterationRewards, type IterationFacts } from '../../src/reward/iteration-rewards.js';
import { taskKinds } from '../../src/tasks/index.js';
import { TASK_KINDS, type Task, type TaskKind } from '../../src/tasks/types.js';
import { runBench } from '../run-bench.js';

function evaluate(code: string, input: string): string | undefined {
  const operations = parseProgram(code);
  const list = parseList(input);
  return operations === undefined || list === undefined
    ? undefined
    : renderList(trace(operations, list).at(-1) ?? list);
}

/** Share of judged pairs that an answer gets right. */
function accuracyOf(task: Task, answer: string | null): number {
  if (answer === null) return 0;
  switch (task.kind) {
    case 'deduction':
      return answer === task.outputs[0] ? 1 : 0;
    case 'abduction':
      return evaluate(task.code, answer) === task.outputs[0] ? 1 : 0;
    default: {
      const { hiddenPairs } = taskKinds.induction.solverView(task);
      return (
        hiddenPairs.filter(({ input, output }) => evaluate(answer, input) === output).length /
        hiddenPairs.length
      );
    }
  }
}

const lengthOf = (code: string): number => parseProgram(code)?.length ?? 0;
const percent = (part: number, whole: number): string =>
  whole === 0 ? '-' : ((100 * part) / whole).toFixed(0);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      preset: { type: 'string', default: 'tiny' },
      set: { type: 'string', multiple: true, default: [] },
      iterations: { type: 'string', default: '20' },
      every: { type: 'string', default: '5' },
      sampled: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '0' },
    },
  });
  const { config, hash } = await resolveRunConfig(values.preset, values.set);
  const folder = path.resolve('.azr', 'search', hash.slice(0, 12));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const policy = tinyPolicy(config.policy);
  const engine = new TensorflowEngine(Number(process.env['TF_NUM_INTRAOP_THREADS'] ?? '1'));
  const started = Date.now();
  const seconds = (): string => ((Date.now() - started) / 1000).toFixed(0).padStart(4);

  // Warm-up: cached by its own inputs, for searches share it.
  const warmKey = `${config.seed}-${JSON.stringify([policy, config.propose.references])}`;
  const warmFolder = path.resolve(
    '.azr',
    'search-warm',
    Buffer.from(await digest(warmKey))
      .toString('hex')
      .slice(0, 16),
  );
  let checkpoint: CheckpointRef = await engine.initialise(
    tinySpec(policy.model),
    seedOf(config.seed, 'weights'),
    `${warmFolder}-fresh`,
  );
  const { steps } = policy.warmUp;
  const note = path.join(warmFolder, '..', `${path.basename(warmFolder)}.json`);
  const { readFile, writeFile } = await import('node:fs/promises');
  const known = await readFile(note, 'utf8').catch(() => null);
  if (known !== null) checkpoint = JSON.parse(known) as CheckpointRef;
  else if (steps > 0) {
    checkpoint = (
      await engine.imitate(checkpoint, warmUpBatches(config), warmUpConfig(config), warmFolder, {
        onProgress: (step, loss) =>
          step % 100 === 0 && console.log(`${seconds()} warm-up ${step} loss ${loss.toFixed(3)}`),
      })
    ).checkpoint;
    await writeFile(note, JSON.stringify(checkpoint));
  }

  const start = checkpoint;
  const examples = tinyHeldOut(config.evaluation.perBucket);
  const test = async (iteration: number, temperature: number): Promise<void> => {
    const samples = await engine.sample(
      checkpoint,
      examples.map(({ task }): SampleRequest => {
        const prompt = tinyCodec.solvePrompt(task.kind, taskKinds[task.kind].solverView(task));
        return {
          id: task.taskId,
          prompt: prompt.tokens,
          seed: seedOf(1, iteration, task.taskId),
          temperature,
          maxTokens: prompt.maxTokens,
          ...(prompt.grammar === undefined ? {} : { grammar: prompt.grammar }),
        };
      }),
    );
    const parts: string[] = [];
    let sum = 0;
    for (const kind of TASK_KINDS) {
      const byLength = [1, 2, 3].map((length) => {
        let n = 0,
          right = 0,
          thought = 0,
          rightThought = 0;
        examples.forEach(({ task }, i) => {
          const sample = samples[i];
          if (task.kind !== kind || lengthOf(task.code) !== length || sample === undefined) return;
          const parsed = tinyCodec.parseSolution(kind, sample);
          n += 1;
          const ok = accuracyOf(task, parsed.answer) === 1 ? 1 : 0;
          right += ok;
          if (parsed.thought !== null) {
            thought += 1;
            rightThought += ok;
          }
        });
        return { n, right, thought, rightThought };
      });
      const total = byLength.reduce((a, b) => ({
        n: a.n + b.n,
        right: a.right + b.right,
        thought: a.thought + b.thought,
        rightThought: a.rightThought + b.rightThought,
      }));
      sum += total.right / total.n;
      parts.push(
        `${kind.slice(0, 3)} ${percent(total.right, total.n)} (${byLength.map((b) => percent(b.right, b.n)).join('/')}) th ${percent(total.thought, total.n)}%${temperature > 0 ? ` [with ${byLength.map((b) => percent(b.rightThought, b.thought)).join('/')} without ${byLength.map((b) => percent(b.right - b.rightThought, b.n - b.thought)).join('/')}]` : ''}`,
      );
    }
    console.log(
      `${seconds()} it ${iteration} ${temperature === 0 ? 'greedy ' : 'sampled'} ${((100 * sum) / 3).toFixed(1)}  ${parts.join('  ')}`,
    );
  };
  await test(0, 0);
  if (values.sampled) await test(0, 1);

  const policyOfBuffer = bufferPolicy(config);
  const buffer = emptyBuffer();
  TASK_KINDS.forEach((kind) => {
    acceptTask(
      buffer,
      {
        taskId: `seed/${kind}`,
        kind,
        code: 'def f(x):\n    x = x[::-1]\n    return x',
        inputs: kind === 'induction' ? ['[1, 2, 3]', '[4, 5, 6]', '[7, 8, 9]', '[1, 3, 5]'] : ['[1, 2, 3]'],
        outputs: kind === 'induction' ? ['[3, 2, 1]', '[6, 5, 4]', '[9, 8, 7]', '[5, 3, 1]'] : ['[3, 2, 1]'],
        message: null,
        originalCode: 'def f(x):\n    x = x[::-1]\n    return x',
        iteration: 0,
      },
      policyOfBuffer,
    );
  });
  let samplesMade = 0;
  for (let iteration = 1; iteration <= Number(values.iterations) + Number(values.rounds); iteration++) {
    // propose
    const facts = {
      proposals: [] as unknown[],
      accepted: [] as unknown[],
      rejected: [] as unknown[],
      solutions: [] as unknown[],
      verdicts: [] as unknown[],
      intrinsics: [] as unknown[],
    };
    const fresh: BufferedTask[] = [];
    const lengths = new Map<string, number>();
    let repeats = 0;
    if (config.propose.source === 'uniform') {
      for (const task of uniformTasks(
        config.seed,
        iteration,
        config.solve.batch,
        config.propose.uniformLengths,
      ))
        fresh.push({
          taskId: `u${iteration}/${task.kind}/${task.index}`,
          kind: task.kind,
          code: task.code,
          inputs: task.inputs,
          outputs: task.inputs.map((input) => evaluate(task.code, input) ?? ''),
          message: null,
          originalCode: task.code,
          iteration,
        });
    } else {
      const plan = TASK_KINDS.flatMap((kind) =>
        Array.from({ length: config.propose.batch }, (_, index) => {
          const random = new Random(seedOf(config.seed, iteration, 'propose', kind, index, 'references'));
          const given = taskKinds[kind].proposesProgram
            ? undefined
            : drawProgramTask(buffer, config.propose.referenceSampling, random);
          const references =
            given === undefined
              ? drawReferences(
                  buffer,
                  kind,
                  config.propose.references,
                  config.propose.referenceSampling,
                  random,
                )
              : [];
          const prompt = tinyCodec.proposePrompt(
            kind,
            references.map((task) => ({
              code: task.code,
              input: task.inputs[0] ?? '',
              output: task.outputs[0] ?? '',
            })),
            given?.code ?? null,
          );
          return { id: `p${iteration}/${kind}/${index}`, kind, program: given?.code ?? null, prompt };
        }),
      );
      const samples = await engine.sample(
        checkpoint,
        plan.map(({ id, kind, prompt }): SampleRequest => ({
          id,
          prompt: prompt.tokens,
          seed: seedOf(config.seed, iteration, 'propose', kind, id),
          temperature: 1,
          maxTokens: prompt.maxTokens,
          ...(prompt.grammar === undefined ? {} : { grammar: prompt.grammar }),
        })),
      );
      samplesMade += samples.length;
      plan.forEach(({ id, kind, program, prompt }, i) => {
        const sample = samples[i];
        if (sample === undefined) return;
        facts.proposals.push({
          proposalId: id,
          kind,
          promptTokens: prompt.tokens,
          completionTokens: sample.tokens,
          logProbs: sample.logProbs,
        });
        const parsed = tinyCodec.parseProposal(kind, sample, program);
        const reject = (reason: string, formatOk: boolean): void =>
          void facts.rejected.push({ proposalId: id, reason, formatOk });
        if (!parsed.ok) return reject(parsed.reason, false);
        if (parsed.inputs.some((input) => isHeldOutText(parsed.code, input))) return reject('held-out', true);
        const task: BufferedTask = {
          taskId: `t${id}`,
          kind,
          code: parsed.code,
          inputs: parsed.inputs,
          outputs: parsed.inputs.map((input) => evaluate(parsed.code, input) ?? ''),
          message: null,
          originalCode: parsed.code,
          iteration,
        };
        const repeat = repeatReason(
          buffer,
          fresh.filter((other) => other.kind === kind),
          task,
          config.buffer,
        );
        if (repeat !== undefined) {
          repeats += 1;
          return reject(repeat, true);
        }
        facts.accepted.push({ ...task, proposalId: id, formatOk: true });
        const key = `${kind.slice(0, 3)}${lengthOf(task.code)}`;
        lengths.set(key, (lengths.get(key) ?? 0) + 1);
        fresh.push(task);
      });
    }
    for (const task of fresh) acceptTask(buffer, task, policyOfBuffer);
    if (iteration <= Number(values.rounds)) continue;
    // solve
    const groups = TASK_KINDS.flatMap((kind) => {
      const own = fresh.filter((task) => task.kind === kind);
      if (config.propose.source === 'uniform')
        return own.map((task) => ({ task, purpose: 'solve' as const, samples: config.solve.samplesPerTask }));
      const drawn = drawSolverTasks(
        buffer,
        kind,
        config.solve.batch,
        config.solve.mixing,
        iteration,
        new Random(seedOf(config.seed, iteration, 'solve', kind, 'tasks')),
      );
      return [
        ...own.map((task) => ({
          task,
          purpose: 'learnability' as const,
          samples: config.learnability.samples,
        })),
        ...drawn.map((task) => ({ task, purpose: 'solve' as const, samples: config.solve.samplesPerTask })),
      ];
    });
    const requests = groups.flatMap(({ task, samples }, g) => {
      const prompt = tinyCodec.solvePrompt(task.kind, taskKinds[task.kind].solverView(task));
      return Array.from({ length: samples }, (_, s): SampleRequest => ({
        id: `${g}/${s}`,
        prompt: prompt.tokens,
        seed: seedOf(config.seed, iteration, 'solve', g, s),
        temperature: config.solve.temperature,
        maxTokens: prompt.maxTokens,
        ...(prompt.grammar === undefined ? {} : { grammar: prompt.grammar }),
      }));
    });
    const samples = await engine.sample(checkpoint, requests);
    samplesMade += samples.length;
    let at = 0;
    const solved = new Map<TaskKind, { n: number; right: number; thoughts: number }>();
    groups.forEach(({ task, purpose, samples: count }, g) => {
      const own = samples.slice(at, at + count);
      at += count;
      const groupId = `g${iteration}/${g}`;
      const parsed = own.map((sample) => tinyCodec.parseSolution(task.kind, sample));
      const view = taskKinds[task.kind].solverView(task);
      facts.solutions.push({
        groupId,
        taskId: task.taskId,
        kind: task.kind,
        purpose,
        promptTokens: tinyCodec.solvePrompt(task.kind, view).tokens,
        attempts: own.map((sample, s) => ({
          sample: s,
          completionTokens: sample.tokens,
          logProbs: sample.logProbs,
          formatOk: parsed[s]?.formatOk ?? false,
        })),
      });
      const attempts = parsed.map(({ answer }, s) => {
        const accuracy = accuracyOf(task, answer);
        return { sample: s, correct: accuracy === 1, accuracy, reason: '' };
      });
      facts.verdicts.push({ groupId, taskId: task.taskId, kind: task.kind, purpose, attempts });
      recordVerdict(buffer, { groupId, taskId: task.taskId, purpose, attempts }, policyOfBuffer);
      const s = solved.get(task.kind) ?? { n: 0, right: 0, thoughts: 0 };
      s.n += count;
      s.right += attempts.filter((a) => a.correct).length;
      s.thoughts += parsed.filter((p) => p.thought !== null).length;
      solved.set(task.kind, s);
    });
    const typed = facts as unknown as IterationFacts;
    const { rewards } = iterationRewards(typed, config.reward);
    const batch = learnerBatch(typed, rewards, learnerBatchSettings(config, iteration));
    const rows = batch.samples.map((sample, i): LearnRow => ({
      id: String(i).padStart(6, '0'),
      group: `${sample.role}.${sample.kind}`,
      prompt: sample.promptTokens,
      completion: sample.completionTokens,
      logProbs: sample.logProbs,
      advantage: sample.advantage,
      ...(sample.grammar === null ? {} : { grammar: sample.grammar }),
    }));
    const learned = await engine.learn(
      checkpoint,
      rows,
      learnConfig(config, iteration),
      path.join(folder, String(iteration)),
      config.learner.klCoefficient === 0 ? {} : { reference: start },
    );
    await rm(path.join(folder, String(iteration - 2)), { recursive: true, force: true });
    checkpoint = learned.checkpoint;
    const groupsText = Object.entries(learned.statistics.groups)
      .map(
        ([g, s]) =>
          `${g.replace('propose.', 'p.').replace('solve.', 's.').slice(0, 5)} ${s.entropy.toFixed(2)}`,
      )
      .join(' ');
    if (iteration % Number(values.every) === 0) {
      console.log(
        `${seconds()} it ${iteration} samples ${samplesMade} train ${[...solved].map(([k, s]) => `${k.slice(0, 3)} ${percent(s.right, s.n)} th ${percent(s.thoughts, s.n)}`).join(' ')} | len ${[
          ...lengths,
        ]
          .sort()
          .map(([k, n]) => `${k}:${n}`)
          .join(
            ' ',
          )} rep ${repeats} | kl ${learned.statistics.approxKl.toFixed(4)} clip ${learned.statistics.clipFraction.toFixed(3)} ent ${groupsText}`,
      );
      await test(iteration, 0);
    }
  }
  if (values.sampled) await test(Number(values.iterations), 1);
  await engine.close();
  return 0;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}

await runBench(main);
