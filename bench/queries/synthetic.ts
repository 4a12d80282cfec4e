/**
 * Rows of many runs, made inside the engine (INSERT ... SELECT FROM numbers): as many tasks as asked, in 20 runs of 500
 * iterations each. Every value is a hash of its place, so the same size gives the same rows.
 *
 * Beside each task: six references to earlier tasks of its run, one estimate of its learnability. Bounded, so that the
 * folder stays small: one attempt a task on average (two groups of eight for every sixteenth task), two components of
 * reward for every fourth task, one rejected proposal and one execution for every fourth, 256 seed rows a run. Completions have 24 tokens:
 * this measures rows, not long texts. The last iteration of each run is written twice, as a sink that was killed before it
 * stored its place would: a query that counts repeats is wrong here. No prompts of proposals and no learner's rows are
 * written; no saved query reads them. Each run has one counterfactual, with an attempt a task.
 */

export const RUNS = 20;
export const ITERATIONS = 500;

export interface Statement {
  readonly table: string;
  readonly sql: string;
}

export const runName = (run: number): string => `synthetic-${String(run).padStart(2, '0')}`;

const KINDS = `['deduction', 'abduction', 'induction']`;
/** 32 hexadecimal characters, as every id. */
const id = (what: string, ...parts: readonly (string | number)[]): string =>
  `lower(hex(sipHash128('${what}', ${parts.join(', ')})))`;

/** Places and names that a fact of run `run` has; `n` counts tasks, `it` is the iteration. */
function envelope(run: number, type: string): string {
  return `${id(type, run, 'n')} AS event_id, '${runName(run)}' AS run_id, toInt32(it) AS iteration,
    ${id('correlation', run, 'it')} AS correlation_id, NULL AS causation_id, toInt32(it) AS policy_version,
    toDateTime64('2026-01-01 00:00:00.000', 3, 'UTC') + toIntervalDay(${run}) + toIntervalSecond(it * 120) AS occurred_at,
    'bench' AS code_version, toInt32(n % 2) AS log_partition, toUInt64(n) AS log_offset`;
}

const kindOf = (n: string): string => `${KINDS}[${n} % 3 + 1]`;
const PROGRAM = `concat('def f(x):\\n', arrayStringConcat(arrayMap(
      j -> concat('    x = x ', ['+', '-', '*', '//', '%'][cityHash64(h, j) % 5 + 1], ' ', toString(cityHash64(j, h) % 23 + 1)),
      range(h % 8)), '\\n'), '\\n    return x')`;

/** Rows of one run. @param tasks tasks of an iteration. */
export function rowsOfRun(run: number, tasks: number): Statement[] {
  const all = ITERATIONS * tasks;
  const insert = (table: string, select: string, from: string, offset = 0): Statement => ({
    table,
    sql: `INSERT INTO ${table} (${columnsOf(select)}) SELECT ${select} FROM ${from}`.replace(
      'toUInt64(n) AS log_offset',
      `toUInt64(n + ${offset}) AS log_offset`,
    ),
  });
  const perTask = (first: number, count: number): string =>
    `(SELECT number AS n, intDiv(number, ${tasks}) + 1 AS it, cityHash64(${run}, number) AS h FROM numbers(${first}, ${count}))`;
  const perIteration = `(SELECT number AS n, number + 1 AS it, cityHash64(${run}, number) AS h FROM numbers(${ITERATIONS}))`;
  const perFourth = `(SELECT number * 4 AS n, intDiv(n, ${tasks}) + 1 AS it, cityHash64(${run}, n) AS h FROM numbers(${Math.ceil(all / 4)}))`;
  /** Attempts: `g` a group of eight, at the first task of each sixteen; `n` its place, `task` what it tries. */
  const attempts = (first: number, count: number): string =>
    `(SELECT number AS m, intDiv(m, 8) AS g, g * 8 AS n, intDiv(g, 2) * 16 AS task, m % 8 AS sample,
      intDiv(n, ${tasks}) + 1 AS it, cityHash64(${run}, m) AS h, cityHash64(${run}, task) % 9 AS skill
      FROM numbers(${first}, ${count}))`;

  const task = `${envelope(run, 'accepted')}, ${id('task', run, 'n')} AS task_id, ${id('proposal', run, 'n')} AS proposal_id,
    'proposal' AS origin, ${kindOf('n')} AS kind, toInt32(n % ${tasks}) AS \`index\`, ${PROGRAM} AS code, code AS original_code,
    [toString(h % 40)] AS inputs, [toString(h % 997)] AS outputs, NULL AS message, emptyArrayString() AS imports, NULL AS thought,
    emptyArrayString() AS composite_task_ids,
    if(n = 0, emptyArrayString(), arrayMap(j -> ${id('task', run, `cityHash64(h, j) % n`)}, range(6))) AS reference_task_ids,
    h % 10 != 0 AS format_ok`;
  const estimate = `${envelope(run, 'learnability')}, ${id('proposal', run, 'n')} AS proposal_id, ${id('task', run, 'n')} AS task_id,
    ${kindOf('n')} AS kind, toInt32(8) AS samples, (h % 9) / 8 AS mean_accuracy, if(h % 9 = 0, 0, 1 - (h % 9) / 8) AS learnability`;
  const group = `${id('group', run, 'g')} AS group_id, ${id('task', run, 'task')} AS task_id, ${kindOf('task')} AS kind,
    'solve' AS purpose`;
  const sampled = `${envelope(run, 'sampled')}, ${group}, toInt32(g % ${tasks}) AS \`index\`, 'tiny-v1' AS template_version,
    NULL AS prompt_text, arrayMap(j -> toInt32(cityHash64(g, j) % 64), range(32)) AS prompt_tokens,
    emptyArrayString() AS given_inputs, emptyArrayString() AS given_outputs, emptyArrayString() AS hidden_inputs, emptyArrayString() AS hidden_outputs,
    1.0 AS temperature, toInt32(sample) AS sample, toInt64(h % 281474976710656) AS seed,
    concat('<think>', toString(h % 100003), ' ', toString(h % 9973), '</think><answer>', toString(h % 97), '</answer>') AS completion_text,
    arrayMap(j -> toInt32(cityHash64(h, j) % 64), range(24)) AS completion_tokens,
    arrayMap(j -> toFloat32(-(cityHash64(j, h) % 4096) / 1024), range(24)) AS log_probs, 'end' AS finish,
    if(h % 3 = 0, NULL, toString(h % 100003)) AS thought, if(h % 20 = 0, NULL, toString(h % 97)) AS answer, h % 20 != 0 AS format_ok`;
  const verified = `${envelope(run, 'verified')}, ${group}, toInt32(sample) AS sample, h % 8 < skill AS correct, toFloat64(correct) AS accuracy,
    if(correct, 'right', 'wrong') AS reason`;

  const last = all - tasks;
  const groups = 8 * Math.ceil(all / 8);
  const lastAttempts = groups - 8 * Math.ceil(tasks / 8);
  return [
    insert('run_started', startedRow(run), '(SELECT 0 AS n, 0 AS it, 0 AS h)'),
    insert('iteration_completed', iterationRow(run, tasks), perIteration),
    insert('learner_stepped', stepRow(run, tasks), perIteration),
    insert('checkpoint_saved', checkpointRow(run), perIteration),
    insert(
      'evaluation_completed',
      evaluationRow(run),
      `(SELECT number AS n, intDiv(n, 3) * 10 + 1 AS it, cityHash64(${run}, n) AS h FROM numbers(${(ITERATIONS / 10) * 3}))`,
    ),
    insert('task_accepted', task, perTask(0, all)),
    insert('task_accepted', task, perTask(last, tasks), all),
    insert('learnability_estimated', estimate, perTask(0, all)),
    insert('learnability_estimated', estimate, perTask(last, tasks), all),
    insert('solution_sampled', sampled, attempts(0, groups)),
    insert('solution_sampled', sampled, attempts(lastAttempts, groups - lastAttempts), all),
    insert('solution_verified', verified, attempts(0, groups)),
    insert('solution_verified', verified, attempts(lastAttempts, groups - lastAttempts), all),
    insert('task_rejected', rejectedRow(run, tasks), perFourth),
    insert('reward_assigned', rewardRow(run), `${perFourth} ARRAY JOIN ['learnability', 'format'] AS part`),
    insert('program_executed', executionRow(run), perFourth),
    insert('counterfactual_advantages', counterfactualRow(run), perTask(0, all)),
    insert('counterfactuals', askedRow(run), '(SELECT 0 AS n, 0 AS it, 0 AS h)'),
    insert('seed_row_read', seedRow(run), '(SELECT number AS n, 0 AS it, 0 AS h FROM numbers(256))'),
  ];
}

/** Names behind AS at the level of the list, in its order. */
function columnsOf(select: string): string {
  const names: string[] = [];
  let depth = 0;
  for (const [token, name] of select.matchAll(/'(?:[^'\\]|\\.)*'|[([]|[)\]]|\bAS\s+(`?\w+`?)/g)) {
    if (token === '(' || token === '[') depth++;
    else if (token === ')' || token === ']') depth--;
    else if (name !== undefined && depth === 0) names.push(name);
  }
  return names.join(', ');
}

const startedRow = (
  run: number,
): string => `${envelope(run, 'started')}, 'tiny' AS preset, '{}' AS config_json,
  ${id('config', 0)} AS config_hash, toInt64(${run}) AS seed, NULL AS parent_run_id, NULL AS parent_iteration, '3.11.2' AS interpreter_version,
  'linux-x86_64' AS interpreter_platform, 'glibc 2.36' AS libc, 'isolated' AS isolation, 'none' AS policy_backend,
  'none' AS policy_library, NULL AS initial_checkpoint_digest, '' AS origin_json`;

const iterationRow = (run: number, tasks: number): string => `${envelope(run, 'iteration')},
  toInt32(${Math.ceil(tasks * 1.25)}) AS proposals, toInt32(${tasks}) AS accepted, toInt32(${Math.ceil(tasks / 4)}) AS rejected,
  toInt32(${tasks}) AS solutions, toInt32(${2 * tasks}) AS rows, (h % 1000) / 1000 AS mean_solve_rate,
  '{"abduction":0.5,"deduction":0.6,"induction":0.4}' AS solve_rates_json, '{"propose":{"deduction":0.25}}' AS rewards_json,
  concat('{"propose":', toString(h % 4000), ',"solve":', toString(h % 9000), ',"learn":', toString(h % 2000), '}') AS durations_json,
  toInt32(it) AS checkpoint_version, ${id('checkpoint', run, 'it')} AS checkpoint_digest`;

const stepRow = (
  run: number,
  tasks: number,
): string => `${envelope(run, 'step')}, ${id('batch', run, 'it')} AS batch_id,
  toInt32(it - 1) AS parent_version, ${id('checkpoint', run, 'it - 1')} AS parent_digest, toInt32(it) AS version,
  ${id('checkpoint', run, 'it')} AS digest, 'tfjs' AS backend, (h % 100) / 100 AS loss, (h % 300) / 100 AS grad_norm,
  (h % 200) / 100 AS entropy, 0.001 AS approx_kl, 0.01 AS clip_fraction, toInt32(${48 * tasks}) AS tokens, toInt32(${2 * tasks}) AS rows,
  '{"propose.deduction":{"rows":64,"tokens":1536,"entropy":1.5,"loss":0.1},"solve.deduction":{"rows":64,"tokens":1536,"entropy":0.5,"loss":0.1}}' AS groups_json,
  toInt64(1000 + h % 1000) AS duration_ms`;

const checkpointRow = (run: number): string => `${envelope(run, 'saved')}, toInt32(it) AS version,
  concat('checkpoints/${runName(run)}/', toString(it)) AS folder, ${id('checkpoint', run, 'it')} AS digest,
  ${id('checkpoint', run, 'it - 1')} AS parent_digest, toInt64(1000000 + h % 1000) AS bytes, false AS warm_up`;

const evaluationRow = (
  run: number,
): string => `${envelope(run, 'evaluation')}, ${id('evaluation', run, 'it')} AS evaluation_id,
  toInt32(it) AS checkpoint_version, ${id('checkpoint', run, 'it')} AS checkpoint_digest, 'tiny-held-out-v1' AS benchmark,
  ${kindOf('n')} AS kind, 'all' AS bucket, toInt32(128) AS \`count\`, toInt32(h % 129) AS correct, toInt64(900) AS duration_ms`;

const rejectedRow = (
  run: number,
  tasks: number,
): string => `${envelope(run, 'rejected')}, ${id('refused', run, 'n')} AS subject_id,
  ${id('refused', run, 'n')} AS proposal_id, 'proposal' AS origin, ${kindOf('intDiv(n, 4)')} AS kind, toInt32(n % ${tasks}) AS \`index\`,
  ['duplicate', 'program-cap', 'no-program', 'error', 'nondeterministic'][h % 5 + 1] AS reason, 'as the reason says' AS detail,
  h % 5 != 2 AS format_ok, NULL AS code, NULL AS source_line`;

const rewardRow = (
  run: number,
): string => `${envelope(run, 'reward')}, if(h % 2 = 0, 'propose', 'solve') AS role,
  ${kindOf('intDiv(n, 4)')} AS kind, ${id('proposal', run, 'n')} AS subject_id, ${id('task', run, 'n')} AS task_id, toInt32(0) AS sample,
  (h % 9) / 8 AS reward, part AS component, (h % 9) / 8 AS raw, 1.0 AS coefficient, NULL AS cap, raw AS value`;

const counterfactualRow = (run: number): string => `'${runName(run)}' AS run_id, 'c' AS counterfactual_id,
  toInt32(it) AS iteration, ${id('row', run, 'n')} AS event_id, if(h % 2 = 0, 'propose', 'solve') AS role, ${kindOf('n')} AS kind,
  ${id('group', run, 'n')} AS subject_id, ${id('task', run, 'n')} AS task_id, toInt32(0) AS sample, (h % 9) / 8 AS recorded_reward,
  (h % 11) / 10 AS reward, (h % 9) / 4 - 1 AS recorded_advantage, (h % 11) / 5 - 1 AS advantage`;

const askedRow = (
  run: number,
): string => `'${runName(run)}' AS run_id, 'c' AS counterfactual_id, toInt32(1) AS first_iteration,
  toInt32(${ITERATIONS}) AS last_iteration, '[]' AS changes_json, '{}' AS config_json, 'bench' AS code_version,
  toDateTime64('2026-01-02 00:00:00.000', 3, 'UTC') AS computed_at`;

const seedRow = (
  run: number,
): string => `${envelope(run, 'seed')}, 'seeds.jsonl' AS file_name, ${id('file', 0)} AS file_digest,
  toInt32(n + 1) AS line, '{"snippet":"def f(x):\\n    return x","input":"1","output":"1"}' AS row_json`;

const executionRow = (
  run: number,
): string => `${envelope(run, 'executed')}, ${id('execution', run, 'n')} AS execution_id,
  ['validate', 'verify'][h % 2 + 1] AS purpose, ${id('proposal', run, 'n')} AS subject_id, ${PROGRAM} AS code, [toString(h % 40)] AS inputs,
  [['ok', 'ok', 'ok', 'error', 'timeout'][h % 5 + 1]] AS outcome_kinds, CAST([toString(h % 997)] AS Array(Nullable(String))) AS outcome_texts,
  CAST([NULL] AS Array(Nullable(String))) AS outcome_errors, CAST([NULL] AS Array(Nullable(String))) AS outcome_messages,
  true AS deterministic, toInt32(2) AS seeds, toInt64(900 + h % 400) AS cpu_micros, toInt64(9000 + h % 512) AS max_rss_kib,
  '3.11.2' AS interpreter_version, 'linux-x86_64' AS interpreter_platform, 'glibc 2.36' AS libc`;
