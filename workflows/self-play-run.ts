/** A run: start, warm up, evaluate, then iterations until the schedule or a person ends it. */
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  patched,
  ParentClosePolicy,
  setHandler,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { iteration } from './iteration.js';
import { evaluation, learner, orchestrate, sandbox } from './proxies.js';
import { failureText } from './failure-text.js';
import type {
  IterationResult,
  RunProgress,
  RunResult,
  RunState,
  RunStatus,
  SelfPlayRunInput,
  StepContext,
  Told,
} from './types.js';

export const pause = defineSignal<[string?]>('pause');
export const resume = defineSignal<[string?]>('resume');
export const stop = defineSignal('stop');
export const progress = defineQuery<RunProgress>('progress');

export async function selfPlayRun(input: SelfPlayRunInput): Promise<RunResult> {
  const { runId, schedule } = input;
  let state: RunState | undefined = input.state;
  let status: RunStatus = state === undefined ? 'starting' : 'running';
  let step = 'start';
  let paused: string | null = null;
  let stopping = false;
  let told: Told = state?.told ?? { backend: null, lastIteration: null, scores: [] };

  setHandler(pause, (reason) => void (paused = reason ?? 'asked for'));
  setHandler(resume, () => void (paused = null));
  setHandler(stop, () => void (stopping = true));
  setHandler(progress, () => ({
    runId,
    status:
      paused !== null && status === 'running'
        ? 'paused'
        : stopping && status === 'running'
          ? 'stopping'
          : status,
    iteration: state?.iteration ?? 0,
    iterations: schedule.iterations,
    step,
    checkpointVersion: state?.checkpoint.version ?? 0,
    ...told,
  }));

  const contextOf = (s: RunState): StepContext => ({
    run: s.run,
    iteration: s.iteration,
    checkpoint: s.checkpoint,
    since: s.head,
  });
  const evaluate = async (s: RunState): Promise<RunState> => {
    step = 'evaluate';
    told = { ...told, scores: (await evaluation.evaluate(contextOf(s))).scores };
    return { ...s, lastEvaluated: s.iteration };
  };

  try {
    if (state === undefined) {
      const { preset, configJson, configHash, originJson = '' } = input;
      const [interpreter, backend] = await Promise.all([sandbox.describeSandbox(), learner.describeEngine()]);
      told = { ...told, backend };
      const run = await orchestrate.startRun({
        runId,
        preset,
        configJson,
        configHash,
        originJson,
        interpreter,
        backend,
      });
      if (patched('seeds')) {
        step = 'seeds';
        await sandbox.plantSeeds(run, input.seeds ?? null);
      }
      [status, step] = ['warming-up', 'warm-up'];
      const { checkpoint } = await learner.warmUp(run);
      state = {
        run,
        iteration: 0,
        checkpoint,
        head: run.startOffsets,
        elapsedMs: 0,
        lastEvaluated: -1,
        pauses: 0,
      };
      status = 'running';
    }
    if (state.lastEvaluated < 0) state = await evaluate(state);

    const firstOfHistory = state.iteration;
    const timeIsUp = (s: RunState): boolean =>
      schedule.minutes !== null && s.elapsedMs >= schedule.minutes * 60_000;
    while (state.iteration < schedule.iterations && !stopping && !timeIsUp(state)) {
      if (paused !== null) {
        const { run, iteration: at, pauses }: RunState = state;
        await orchestrate.recordLifecycle(run, at, pauses, { type: 'RunPaused', reason: paused });
        await condition(() => paused === null || stopping);
        const reason = stopping ? 'to stop' : 'asked for';
        await orchestrate.recordLifecycle(run, at, pauses, { type: 'RunResumed', reason });
        state = { ...state, pauses: pauses + 1 };
        continue;
      }
      const began = Date.now();
      const number: number = state.iteration + 1;
      step = `iteration ${number}`;
      const result: IterationResult = await executeChild(iteration, {
        workflowId: `${runId}/iteration-${number}`,
        args: [{ context: { ...contextOf(state), iteration: number } }],
        parentClosePolicy: ParentClosePolicy.TERMINATE,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      });
      told = { ...told, lastIteration: result.summary };
      state = {
        ...state,
        iteration: number,
        checkpoint: result.checkpoint,
        head: result.head,
        elapsedMs: state.elapsedMs + (Date.now() - began),
      };
      if (number % schedule.evaluateEvery === 0) state = await evaluate(state);
      if (
        number - firstOfHistory >= schedule.continueAsNewEvery &&
        number < schedule.iterations &&
        !stopping &&
        paused === null &&
        !timeIsUp(state)
      )
        await continueAsNew<typeof selfPlayRun>({ ...input, state: { ...state, told } });
    }
    if (state.lastEvaluated < state.iteration) state = await evaluate(state);
    step = 'complete';
    const reason = stopping ? 'stopped' : state.iteration >= schedule.iterations ? 'iterations' : 'minutes';
    await orchestrate.recordLifecycle(state.run, state.iteration, 0, {
      type: 'RunCompleted',
      iterations: state.iteration,
      reason,
    });
    status = 'completed';
    return { runId, iterations: state.iteration, checkpoint: state.checkpoint, reason };
  } catch (error) {
    const failure = failureText(error);
    if (failure !== undefined && state !== undefined) {
      status = 'failed';
      await orchestrate.recordLifecycle(state.run, state.iteration, 0, {
        type: 'RunFailed',
        error: failure,
        step,
      });
    }
    throw error;
  }
}
