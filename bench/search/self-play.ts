/** One iteration of self-play in this process, by the functions that a run's steps call. */
import { bufferPolicy } from '../../src/activities/buffer-view.js';
import { drawProgramTask, drawReferences, drawSolverTasks } from '../../src/buffer/sampling.js';
import {
  acceptTask,
  emptyBuffer,
  recordVerdict,
  repeatReason,
  type BufferedTask,
} from '../../src/buffer/task-buffer.js';
import type { RunConfig } from '../../src/config/run.js';
import { batchOfKind } from '../../src/config/batch-of-kind.js';
import { proposedKinds } from '../../src/config/seeding-iterations.js';
import { seedOf } from '../../src/coordinates.js';
import { learnerBatch, learnerBatchSettings } from '../../src/learner/learner-batch.js';
import type { PolicyCodec, Prompt } from '../../src/policy/codec.js';
import type { CheckpointRef, LearnRow, PolicyEngine, Sample, SampleRequest } from '../../src/policy/port.js';
import { isHeldOutText } from '../../src/policy/tiny/generator.js';
import { uniformTasks } from '../../src/policy/tiny/uniform-tasks.js';
import { Random } from '../../src/random.js';
import {
  HELD_OUT_REASON,
  iterationRewards,
  type IterationFacts,
} from '../../src/reward/iteration-rewards.js';
import { taskKinds } from '../../src/tasks/index.js';
import type { TaskKind } from '../../src/tasks/types.js';
import { accuracyOf, evaluate, lengthOf } from './judging.js';

export interface IterationReport {
  readonly rows: readonly LearnRow[];
  readonly samples: number;
  /** Fresh tasks by kind and length, as in `deduction 3`. */
  readonly lengths: ReadonlyMap<string, number>;
  readonly repeats: number;
  /** Of all attempts, by kind. */
  readonly solved: ReadonlyMap<TaskKind, { readonly attempts: number; readonly correct: number }>;
}

/** The same facts as the log's, but for what no reward or advantage looks at. */
type Facts = {
  -readonly [K in keyof IterationFacts]: Partial<IterationFacts[K][number]>[];
};

export class SelfPlay {
  readonly #engine: PolicyEngine;
  readonly #config: RunConfig;
  readonly #codec: PolicyCodec;
  readonly #buffer = emptyBuffer();

  constructor(engine: PolicyEngine, config: RunConfig, codec: PolicyCodec) {
    this.#engine = engine;
    this.#config = config;
    this.#codec = codec;
    for (const kind of config.propose.kinds) this.#accept(identityTask(kind));
  }

  #accept(task: BufferedTask): void {
    acceptTask(this.#buffer, task, bufferPolicy(this.#config));
  }

  async iteration(checkpoint: CheckpointRef, iteration: number): Promise<IterationReport> {
    const facts: Facts = {
      proposals: [],
      accepted: [],
      rejected: [],
      solutions: [],
      verdicts: [],
      intrinsics: [],
    };
    const uniform = this.#config.propose.source === 'uniform';
    const fresh = uniform ? this.#generated(iteration) : await this.#proposed(checkpoint, iteration, facts);
    for (const task of fresh) this.#accept(task);
    const solved = await this.#solve(checkpoint, iteration, fresh, facts);
    const complete = facts as unknown as IterationFacts;
    const { rewards } = iterationRewards(complete, this.#config.reward);
    const batch = learnerBatch(complete, rewards, learnerBatchSettings(this.#config, iteration));
    const lengths = new Map<string, number>();
    for (const { kind, code } of fresh) {
      const key = `${kind} ${lengthOf(code)}`;
      lengths.set(key, (lengths.get(key) ?? 0) + 1);
    }
    return {
      rows: batch.samples.map((sample, i) => ({
        id: String(i).padStart(6, '0'),
        group: `${sample.role}.${sample.kind}`,
        prompt: sample.promptTokens,
        completion: sample.completionTokens,
        logProbs: sample.logProbs,
        advantage: sample.advantage,
        ...(sample.grammar === null ? {} : { grammar: sample.grammar }),
      })),
      samples: facts.proposals.length + facts.solutions.reduce((n, s) => n + (s.attempts?.length ?? 0), 0),
      lengths,
      repeats: facts.rejected.filter(({ reason }) => reason === 'duplicate' || reason === 'program-cap')
        .length,
      solved,
    };
  }

  #generated(iteration: number): BufferedTask[] {
    const { propose, seed, solve } = this.#config;
    return uniformTasks(seed, iteration, (kind) => batchOfKind(solve, kind), propose.uniformLengths).map(
      ({ kind, index, code, inputs }) =>
        taskOf(`${iteration}/${kind}/${index}`, kind, code, inputs, iteration),
    );
  }

  async #proposed(checkpoint: CheckpointRef, iteration: number, facts: Facts): Promise<BufferedTask[]> {
    const { buffer: rules, propose, seed } = this.#config;
    const { references: count, referenceSampling, temperature } = propose;
    const plan = proposedKinds(this.#config, iteration)
      .flatMap((kind) =>
        Array.from({ length: batchOfKind(propose, kind) }, (_, index) => {
          const random = new Random(seedOf(seed, iteration, 'propose', kind, index, 'references'));
          const material = taskKinds[kind].propose({
            references: () => drawReferences(this.#buffer, kind, count, referenceSampling, random),
            program: () => drawProgramTask(this.#buffer, referenceSampling, random),
          });
          if (material === undefined) return undefined;
          const shown = material.references.map(({ code, inputs, outputs }) => ({
            code,
            input: inputs[0] ?? '',
            output: outputs[0] ?? '',
          }));
          const program = material.program?.code ?? null;
          const id = `${iteration}/${kind}/${index}`;
          return { id, kind, index, program, prompt: this.#codec.proposePrompt(kind, shown, program) };
        }),
      )
      .filter((planned) => planned !== undefined);
    const samples = await this.#engine.sample(
      checkpoint,
      plan.map(({ id, kind, index, prompt }) =>
        request(id, prompt, seedOf(seed, iteration, 'propose', kind, index), temperature),
      ),
    );
    const fresh: BufferedTask[] = [];
    for (const [i, { id, kind, program, prompt }] of plan.entries()) {
      const sample = samples[i] as Sample;
      facts.proposals.push({
        proposalId: id,
        kind,
        promptTokens: [...prompt.tokens],
        completionTokens: [...sample.tokens],
        logProbs: [...sample.logProbs],
      });
      const parsed = this.#codec.parseProposal(kind, sample, program);
      const refuse = (reason: string, formatOk: boolean): void =>
        void facts.rejected.push({ proposalId: id, reason, formatOk });
      if (!parsed.ok) {
        refuse(parsed.reason, parsed.formatOk);
        continue;
      }
      const task = taskOf(id, kind, parsed.code, parsed.inputs, iteration);
      const repeat = repeatReason(this.#buffer, fresh, task, rules);
      if (parsed.inputs.some((input) => isHeldOutText(parsed.code, input))) refuse(HELD_OUT_REASON, true);
      else if (repeat !== undefined) refuse(repeat, true);
      else {
        facts.accepted.push({ taskId: task.taskId, proposalId: id, kind, formatOk: true });
        fresh.push(task);
      }
    }
    return fresh;
  }

  async #solve(
    checkpoint: CheckpointRef,
    iteration: number,
    fresh: readonly BufferedTask[],
    facts: Facts,
  ): Promise<Map<TaskKind, { attempts: number; correct: number }>> {
    const { learnability, propose, seed, solve } = this.#config;
    const groups = propose.kinds
      .flatMap((kind) => {
        const own = fresh.filter((task) => task.kind === kind);
        const asGroups = (
          tasks: readonly BufferedTask[],
          purpose: 'learnability' | 'solve',
          samples: number,
        ) => tasks.map((task, index) => ({ task, purpose, index, samples }));
        if (propose.source === 'uniform') return asGroups(own, 'solve', solve.samplesPerTask);
        const random = new Random(seedOf(seed, iteration, 'solve', kind, 'tasks'));
        const drawn = drawSolverTasks(
          this.#buffer,
          kind,
          batchOfKind(solve, kind),
          solve.mixing,
          iteration,
          random,
        );
        return [
          ...asGroups(own, 'learnability', learnability.samples),
          ...asGroups(drawn, 'solve', solve.samplesPerTask),
        ];
      })
      .map((group) => ({
        ...group,
        prompt: this.#codec.solvePrompt(group.task.kind, taskKinds[group.task.kind].solve(group.task)),
      }));
    const all = await this.#engine.sample(
      checkpoint,
      groups.flatMap(({ task, purpose, index, samples, prompt }) =>
        Array.from({ length: samples }, (_, sample) =>
          request(
            `${purpose}/${task.kind}/${index}/${sample}`,
            prompt,
            seedOf(seed, iteration, purpose, task.kind, index, sample),
            solve.temperature,
          ),
        ),
      ),
    );
    const solved = new Map<TaskKind, { attempts: number; correct: number }>();
    let at = 0;
    for (const { task, purpose, index, samples, prompt } of groups) {
      const { taskId, kind } = task;
      const own = all.slice(at, (at += samples));
      const parsed = own.map((sample) => this.#codec.parseSolution(kind, sample));
      const groupId = `${iteration}/${purpose}/${kind}/${index}`;
      facts.solutions.push({
        groupId,
        taskId,
        kind,
        purpose,
        promptTokens: [...prompt.tokens],
        attempts: own.map(({ tokens, logProbs }, sample) => ({
          sample,
          completionTokens: [...tokens],
          logProbs: [...logProbs],
          formatOk: parsed[sample]?.formatOk ?? false,
        })) as unknown as IterationFacts['solutions'][number]['attempts'],
      });
      const attempts = parsed.map(({ answer }, sample) => {
        const accuracy = accuracyOf(task, answer);
        return { sample, correct: accuracy === 1, accuracy, reason: '' };
      });
      facts.verdicts.push({ groupId, taskId, kind, purpose, attempts });
      recordVerdict(this.#buffer, { groupId, taskId, purpose, attempts }, bufferPolicy(this.#config));
      const sum = solved.get(kind) ?? { attempts: 0, correct: 0 };
      sum.attempts += samples;
      sum.correct += attempts.filter(({ correct }) => correct).length;
      solved.set(kind, sum);
    }
    return solved;
  }
}

function request(id: string, prompt: Prompt, seed: number, temperature: number): SampleRequest {
  const { tokens, maxTokens, grammar } = prompt;
  return {
    id,
    prompt: tokens,
    seed,
    temperature,
    maxTokens,
    ...(grammar === undefined ? {} : { grammar }),
  };
}

function taskOf(
  id: string,
  kind: TaskKind,
  code: string,
  inputs: readonly string[],
  iteration: number,
): BufferedTask {
  const outputs = inputs.map((input) => evaluate(code, input) ?? '');
  return { taskId: id, kind, code, originalCode: code, inputs, outputs, message: null, iteration };
}

/** What the buffer starts with. */
function identityTask(kind: TaskKind): BufferedTask {
  const inputs = kind === 'induction' ? ['[1, 2, 3]', '[4, 5, 6]', '[7, 8, 9]', '[1, 3, 5]'] : ['[1, 2, 3]'];
  return taskOf(`seed/${kind}`, kind, 'def f(x):\n    x = x[::-1]\n    return x', inputs, 0);
}
