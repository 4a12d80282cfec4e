/**
 * npm run bench -- pipeline: the log and its sink, each step beside the limit that the machine and the clients set, in one
 * run on a real broker and a real engine:
 *
 *   published    events through the log's append      the same bytes in the same sends by a bare kafkajs producer
 *   consumed     messages read and decoded            the same bytes by a bare kafkajs consumer, not decoded
 *   inserted     events to rows, into ClickHouse      the same rows as objects by the official client
 *   end to end   from the log into the tables,        the slower of the two limits above
 *                until a query counts every row
 *
 * and the replay of a run's rewards and advantages against the time that the run took. Rounds take turns, so that what else
 * the machine does hits all alike; shown are medians.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { down, up } from '../../infra/local/index.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { table } from '../../src/cli/output.js';
import { UsageError } from '../../src/config/errors.js';
import { addressesOf, loadStackConfig } from '../../src/config/stack.js';
import { readState, type StackState } from '../../src/config/stack-state.js';
import { integer } from '../integer.js';
import { median } from '../median.js';
import { runBench } from '../run-bench.js';
import { Material } from './material.js';
import { measureRound, type Round } from './measure.js';
import { replayedTimes, type ReplayTimes } from './replayed.js';
import { archiveOf } from './source.js';

const USAGE = `npm run bench -- pipeline [options]
  --archive DIR    a run that npx azr export log wrote (default: a short run of the tiny preset is made)
  --iterations N   of the run that is made (default 20)
  --events N       events a round at least (default 80000)
  --rounds N       rounds, the medians are shown (default 3)
  --json           the numbers as JSON`;

/** What the issue asks for. */
const END_TO_END_AIM = 0.8;
const REPLAY_AIM = 50;

async function main(): Promise<number> {
  const options = readArguments();
  if (options.help) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const iterations = integer('iterations', options.iterations, 1, 1_000);
  const events = integer('events', options.events, 1, 10_000_000);
  const rounds = integer('rounds', options.rounds, 1, 100);
  const scratch = await mkdtemp(path.join(tmpdir(), 'azr-bench-pipeline-'));
  const config = {
    ...(await loadStackConfig({ cwd: scratch, env: {} })),
    dataDir: path.join(scratch, 'stack'),
  };
  try {
    const archive = await archiveOf(options.archive, scratch, iterations);
    await up({ config, workers: false });
    const addresses = addressesOf(config, readState<StackState>(config.dataDir, 'stack'));
    const replay = await replayedTimes(addresses, archive, config.dataDir);
    const material = await Material.read(archive, events);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      measured.push(await measureRound(addresses, material, round));
      process.stderr.write(`round ${round + 1} of ${rounds} is measured\n`);
    }
    const result = summary(measured, replay);
    if (options.json) console.log(JSON.stringify({ cores: availableParallelism(), ...result }, null, 2));
    else console.log(report(result, rounds));
    return result.endToEnd.ratio >= END_TO_END_AIM && replay.times >= REPLAY_AIM ? EXIT.ok : EXIT.differences;
  } finally {
    await down({ config });
    await rm(scratch, { recursive: true, force: true });
  }
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        archive: { type: 'string' },
        iterations: { type: 'string', default: '20' },
        events: { type: 'string', default: '80000' },
        rounds: { type: 'string', default: '3' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${USAGE}`);
  }
}

interface Compared {
  readonly unit: 'events' | 'rows';
  /** A second. */
  readonly ours: number;
  readonly limit: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
}

interface Summary {
  readonly events: number;
  readonly rows: number;
  readonly bytes: number;
  readonly published: Compared;
  readonly consumed: Compared;
  readonly inserted: Compared;
  /** The limit is the slower of a bare consumer and a bare insert, in events a second. */
  readonly endToEnd: Compared;
  readonly replay: ReplayTimes;
}

function summary(rounds: readonly Round[], replay: ReplayTimes): Summary {
  const [first] = rounds;
  if (first === undefined) throw new TypeError('no round');
  const compared = (
    unit: Compared['unit'],
    ours: (round: Round) => number,
    bare: (round: Round) => number,
  ): Compared => {
    const count = first[unit];
    return {
      unit,
      ours: count / median(rounds.map(ours)),
      limit: count / median(rounds.map(bare)),
      ratio: median(rounds.map((round) => bare(round) / ours(round))),
    };
  };
  return {
    events: first.events,
    rows: first.rows,
    bytes: first.bytes,
    published: compared(
      'events',
      (r) => r.published,
      (r) => r.barePublished,
    ),
    consumed: compared(
      'events',
      (r) => r.consumed,
      (r) => r.bareConsumed,
    ),
    inserted: compared(
      'rows',
      (r) => r.inserted,
      (r) => r.bareInserted,
    ),
    endToEnd: compared(
      'events',
      (r) => r.endToEnd,
      (r) => Math.max(r.bareConsumed, r.bareInserted),
    ),
    replay,
  };
}

function report(result: Summary, rounds: number): string {
  const line = (step: string, { unit, ours, limit, ratio }: Compared) => ({
    step,
    'a second': `${ours.toFixed(0)} ${unit}`,
    limit: `${limit.toFixed(0)} ${unit}`,
    ratio: ratio.toFixed(2),
  });
  const { events, rows, bytes, replay } = result;
  return [
    `${events} events, ${rows} rows, ${(bytes / 1e6).toFixed(1)} MB encoded; ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, median of ${rounds}`,
    table([
      line('published', result.published),
      line('consumed and decoded', result.consumed),
      line('rows into ClickHouse', result.inserted),
      line('end to end', result.endToEnd),
    ]),
    `end to end is ${result.endToEnd.ratio.toFixed(2)} of the slower limit (aim ${END_TO_END_AIM})`,
    `rewards and advantages of ${replay.iterations} iterations replayed in ${replay.replaySeconds.toFixed(2)} s; the run took ${replay.runSeconds.toFixed(1)} s: ${replay.times.toFixed(0)} times as fast (aim ${REPLAY_AIM})`,
  ].join('\n');
}

await runBench(main);
