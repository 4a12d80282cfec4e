/** Heartbeats while a step works: a worker that dies is noticed, a cancelled step stops. */
import { Context } from '@temporalio/activity';

/** Runs `work` with a signal that fires on cancellation; beats every 5 seconds with the latest detail. */
export async function withHeartbeat<T>(
  work: (signal: AbortSignal, report: (detail: unknown) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let latest: unknown = null;
  const timer = setInterval(() => context.heartbeat(latest), 5_000);
  try {
    return await work(context.cancellationSignal, (detail) => {
      latest = detail;
    });
  } finally {
    clearInterval(timer);
  }
}
