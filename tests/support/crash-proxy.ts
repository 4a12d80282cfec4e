/**
 * An HTTP proxy before a database that ends a process with SIGKILL at a chosen write: before the database sees it, or
 * after the database has answered and before the process hears of it. What is written is told apart by its query.
 */
import type { IncomingMessage } from 'node:http';
import { HttpProxy, writtenTable, type Answer } from './http-proxy.js';

export type Moment = 'before rows' | 'between rows and offset' | 'after offset';

export interface CrashPlan {
  /** The how-manieth write of this life (rows or offset), from 0. */
  readonly write: number;
  /** Before the database sees it, or once it has answered. */
  readonly when: 'before' | 'after';
}

export class CrashProxy extends HttpProxy {
  #plan: CrashPlan | undefined;
  #kill: () => void = () => undefined;
  #writes = 0;
  #moment: Moment | undefined;

  static async before(target: string): Promise<CrashProxy> {
    const proxy = new CrashProxy(target);
    await proxy.listen();
    return proxy;
  }

  /** The next life: counts its writes from 0 and calls `kill` at the planned one. */
  arm(plan: CrashPlan, kill: () => void): void {
    [this.#plan, this.#kill, this.#writes, this.#moment] = [plan, kill, 0, undefined];
  }

  /** Where the process was when it was killed; undefined where the plan's write did not come. */
  get moment(): Moment | undefined {
    return this.#moment;
  }

  protected override async pass(incoming: IncomingMessage, body: Buffer): Promise<Answer | undefined> {
    const table = writtenTable(incoming.url ?? '', body);
    const mine = table !== undefined && this.#plan?.write === this.#writes;
    if (table !== undefined) this.#writes += 1;
    const isOffset = table?.endsWith('sink_offsets') === true;
    if (mine && this.#plan?.when === 'before') {
      this.#crash(isOffset ? 'between rows and offset' : 'before rows');
      return undefined;
    }
    const answer = await this.forward(incoming, body);
    if (mine) {
      this.#crash(isOffset ? 'after offset' : 'between rows and offset');
      return undefined;
    }
    return answer;
  }

  #crash(moment: Moment): void {
    this.#moment = moment;
    this.#kill();
  }
}
