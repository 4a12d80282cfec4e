/** All supervised processes of a stack: order of start and stop, and the record of the children for the next supervisor. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIdentity } from '../../src/config/stack-state.js';
import type { ProcessSpec } from './process-spec.js';
import { STACK_MARK } from './processes.js';
import { logFile, writeState } from './state-files.js';
import type { ServiceStatus } from './status.js';
import { Supervised } from './supervised.js';

export type ChildRecord = Readonly<Record<string, ProcessIdentity>>;

export class Supervisor {
  private readonly members = new Map<string, Supervised>();
  private readonly children = new Map<string, ProcessIdentity>();

  constructor(
    specs: readonly ProcessSpec[],
    dataDir: string,
    stackId: string,
    onEvent: (line: string) => void,
  ) {
    const env = { ...process.env, [STACK_MARK]: stackId };
    for (const spec of specs)
      this.members.set(
        spec.name,
        new Supervised({
          spec,
          env,
          logFile: logFile(dataDir, spec.name),
          onEvent,
          dependenciesReady: async (signal) => {
            while (spec.dependsOn.some((name) => this.members.get(name)?.state !== 'running'))
              await sleep(100, undefined, { signal });
          },
          onChild: (child) => {
            if (child === undefined) this.children.delete(spec.name);
            else this.children.set(spec.name, child);
            writeState(dataDir, 'children', Object.fromEntries(this.children));
          },
        }),
      );
  }

  /** Starts those of the names that do not run. */
  start(names: readonly string[]): void {
    for (const name of names) this.member(name).start();
  }

  /** Stops one and starts it again. @throws RangeError where the name is unknown. */
  async restart(name: string): Promise<void> {
    const member = this.member(name);
    await member.stop();
    member.start();
  }

  /** Stops all: first those on which nobody depends. */
  async stopAll(): Promise<void> {
    const left = new Set(this.members.values());
    while (left.size > 0) {
      const needed = new Set([...left].flatMap(({ spec }) => spec.dependsOn));
      const round = [...left].filter(({ spec }) => !needed.has(spec.name));
      await Promise.all((round.length > 0 ? round : [...left]).map((member) => member.stop()));
      for (const member of round.length > 0 ? round : [...left]) left.delete(member);
    }
  }

  status(): ServiceStatus[] {
    return [...this.members.values()].map((member) => member.status());
  }

  private member(name: string): Supervised {
    const member = this.members.get(name);
    if (member === undefined)
      throw new RangeError(
        `service is ${JSON.stringify(name)}; accepted are ${[...this.members.keys()].join(', ')}`,
      );
    return member;
  }
}
