/**
 * Which of a proposer's references become given functions: with the iteration's chance, n of them,
 * n uniform from the least to the most, none composite itself. They are shown as functions and no longer as references.
 *
 * Two programs that bind one name at their top level to different things do not go together: the later definition would
 * change what the earlier one does (the published code puts them one after the other all the same).
 */
import type { Random } from '../random.js';
import { compositeName, type CompositeOdds } from '../tasks/composite.js';
import type { BufferedTask } from './task-buffer.js';

/** How programs are read and rewritten (policy/text/program.ts). */
export interface ProgramReader {
  /** Names bound at the top level, with the statement that imports them or an empty text. */
  topLevelNames(code: string): ReadonlyMap<string, string>;
  /** The program with its entry `f` under another name. */
  withEntryRenamed(code: string, name: string): string;
}

export interface GivenFunctions {
  readonly functions: readonly { readonly taskId: string; readonly definition: string }[];
  /** The others, in their order. */
  readonly references: readonly BufferedTask[];
}

export function drawFunctions(
  references: readonly BufferedTask[],
  odds: CompositeOdds,
  random: Random,
  reader: ProgramReader,
): GivenFunctions {
  const none = { functions: [], references };
  if (!(odds.chance > 0) || references.length <= odds.maxFunctions) return none;
  if (!(random.uniform() < odds.chance)) return none;
  const wanted = odds.minFunctions + random.below(odds.maxFunctions - odds.minFunctions + 1);
  const chosen: BufferedTask[] = [];
  const bound = new Map<string, string>();
  for (const task of random.shuffle(references)) {
    if (chosen.length === wanted) break;
    if (task.compositeTaskIds !== undefined) continue;
    const names = new Map([
      ...reader.topLevelNames(reader.withEntryRenamed(task.code, compositeName(chosen.length))),
    ]);
    const reserved = [...reader.topLevelNames(task.code).keys()].some((name) => /^g_\d+$/.test(name));
    if (reserved || [...names].some(([name, origin]) => clashes(bound.get(name), origin))) continue;
    for (const [name, origin] of names) bound.set(name, origin);
    chosen.push(task);
  }
  if (chosen.length < wanted) return none;
  return {
    functions: functionsOf(chosen, reader),
    references: references.filter((task) => !chosen.includes(task)),
  };
}

/** The definitions of tasks' programs under g_0, g_1, ... */
export function functionsOf(
  tasks: readonly Pick<BufferedTask, 'taskId' | 'code'>[],
  reader: ProgramReader,
): GivenFunctions['functions'] {
  return tasks.map(({ taskId, code }, k) => ({
    taskId,
    definition: reader.withEntryRenamed(code, compositeName(k)),
  }));
}

const clashes = (known: string | undefined, origin: string): boolean =>
  known !== undefined && (known === '' || known !== origin);
