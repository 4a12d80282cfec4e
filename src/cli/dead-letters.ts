/** `azr dead-letters list | show | retry`: what the sink could not store. */
import type { Command } from 'commander';
import {
  inspectDeadLetters,
  readDeadLetters,
  retryDeadLetters,
  type DeadLetter,
  type InspectedLetter,
} from '../../pipelines/dead-letters.js';
import { nearest, UsageError } from '../config/errors.js';
import { EXIT } from './exit-codes.js';
import { say, sayJson, table } from './output.js';
import { openSession } from './session.js';

const SHOWN_BYTES = 512;
const BYTES_A_LINE = 16;

export function addDeadLetterCommands(program: Command): void {
  const group = program
    .command('dead-letters')
    .description('messages of the log that the sink could not store, with the reason and the bytes');

  group
    .command('list')
    .description(
      'every letter: stored (its rows are in the tables), readable (a retry stores it), unreadable',
    )
    .option('--json', 'print as JSON')
    .action(async (options: { json?: boolean }) => {
      const { addresses } = await openSession();
      const letters = await inspectDeadLetters(addresses, await readDeadLetters(addresses.kafkaBrokers));
      if (options.json === true) sayJson(letters.map(plain));
      else if (letters.length === 0) say('no dead letters');
      else say(table(letters.map(({ place, reason, state, detail }) => ({ place, reason, state, detail }))));
    });

  group
    .command('show')
    .description('one letter: why, what this code makes of it now, its bytes')
    .argument('<place>', 'topic/partition/offset, as list prints it')
    .option('--json', 'print as JSON, all bytes in base64')
    .action(async (place: string, options: { json?: boolean }) => {
      const { addresses } = await openSession();
      const letter = find(await readDeadLetters(addresses.kafkaBrokers), place);
      const [inspected] = await inspectDeadLetters(addresses, [letter]);
      if (inspected === undefined) throw new Error(`letter ${place} was lost while it was read`);
      if (options.json === true)
        sayJson({ ...plain(inspected), valueBase64: letter.value?.toString('base64') ?? null });
      else print(inspected);
    });

  group
    .command('retry')
    .description(
      'read letters again with this code and store what can be read now; asked twice it stores once',
    )
    .argument('[places...]', 'topic/partition/offset each; none: all letters')
    .option('--json', 'print as JSON')
    .action(async (places: string[], options: { json?: boolean }) => {
      const { addresses } = await openSession();
      const all = await readDeadLetters(addresses.kafkaBrokers);
      const wanted = places.length === 0 ? all : places.map((place) => find(all, place));
      const letters = await retryDeadLetters(addresses, wanted);
      const left = letters.filter(({ state }) => state === 'unreadable');
      if (options.json === true)
        sayJson(letters.map((letter) => ({ ...plain(letter), retried: letter.retried })));
      else {
        for (const letter of left) say(`${letter.place} stays: ${now(letter)}`);
        const stored = letters.filter(({ retried }) => retried).length;
        say(
          `${stored} stored now, ${letters.length - stored - left.length} stored before, ${left.length} left`,
        );
      }
      if (left.length > 0) process.exitCode = EXIT.differences;
    });
}

function find(letters: readonly DeadLetter[], place: string): DeadLetter {
  const found = letters.find((letter) => letter.place === place);
  if (found !== undefined) return found;
  const near = nearest(
    place,
    letters.map((letter) => letter.place),
  );
  throw new UsageError(
    `place is ${JSON.stringify(place)}, which is no dead letter${near === undefined ? '' : `; did you mean ${near}?`} Accepted is topic/partition/offset as npx azr dead-letters list prints it (${letters.length} letters)`,
  );
}

function now({ rows }: InspectedLetter): string {
  return rows.ok ? `${rows.event.type}, ${rows.rows.length} rows` : `${rows.reason}: ${rows.detail}`;
}

function plain(letter: InspectedLetter): Record<string, unknown> {
  const { place, topic, partition, offset, reason, detail, state, value } = letter;
  return {
    place,
    topic,
    partition,
    offset: offset.toString(),
    reason,
    detail,
    state,
    now: now(letter),
    bytes: value?.length ?? null,
  };
}

function print(letter: InspectedLetter): void {
  const { value } = letter;
  say(`place   ${letter.place}`);
  say(`reason  ${letter.reason}: ${letter.detail}`);
  say(`state   ${letter.state}`);
  say(`now     ${now(letter)}`);
  if (letter.rows.ok) {
    const { event } = letter.rows;
    say(`event   ${JSON.stringify({ ...event.envelope, ...event.data })}`);
  }
  say(`bytes   ${value === null ? 'none' : value.length}`);
  const shown = value?.subarray(0, SHOWN_BYTES) ?? Buffer.alloc(0);
  for (let at = 0; at < shown.length; at += BYTES_A_LINE) {
    const line = shown.subarray(at, at + BYTES_A_LINE);
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    say(`  ${at.toString(16).padStart(6, '0')}  ${hex.padEnd(3 * BYTES_A_LINE - 1)}  ${text}`);
  }
  if (value !== null && value.length > SHOWN_BYTES)
    say(`  ... and ${value.length - SHOWN_BYTES} more (--json gives all)`);
}
