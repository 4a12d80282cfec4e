/** A sandbox execution as an event: the program, its inputs, each outcome, and what ran it. */
import type { AzrEvent } from '../../schemas/generated/events.js';
import { idOf } from '../coordinates.js';
import { outcomeFields } from '../sandbox/outcome-fields.js';
import type { ExecutionRequest, ExecutionResult, Interpreter } from '../sandbox/port.js';
import { fact, type FactOrigin } from './facts.js';

/** @param subjectId the proposal, group or seed row that the execution served. */
export function executionFact(
  origin: FactOrigin,
  purpose: 'validate' | 'verify' | 'seed',
  subjectId: string,
  request: ExecutionRequest,
  result: ExecutionResult,
  interpreter: Interpreter,
): AzrEvent {
  const executionId = idOf(
    origin.runId,
    origin.iteration,
    'execution',
    purpose,
    subjectId,
    request.code,
    ...request.inputs,
  );
  return fact(
    origin,
    'ProgramExecuted',
    [executionId],
    {
      executionId,
      purpose,
      subjectId,
      code: request.code,
      inputs: request.inputs,
      outcomes: result.outcomes.map(outcomeFields),
      deterministic: result.deterministic,
      seeds: request.seeds ?? 1,
      cpuMicros: result.cpuMicros,
      maxRssKiB: result.maxRssKiB,
      interpreterVersion: interpreter.version,
      interpreterPlatform: interpreter.platform,
      libc: interpreter.libc,
    },
    subjectId,
  );
}
