-- Views that read like the domain. FINAL in each: of equal facts the first write is shown, merged or not.

-- One row a run: what it is, how far it is.
CREATE OR REPLACE VIEW runs AS
SELECT
    s.run_id AS run_id,
    s.preset AS preset,
    s.seed AS seed,
    s.config_hash AS config_hash,
    s.occurred_at AS started_at,
    multiIf(f.run_id != '', 'failed', c.run_id != '', 'completed', p.pauses > p.resumes, 'paused', 'running') AS status,
    i.last_iteration AS iteration,
    greatest(s.occurred_at, i.last_at, c.last_at, f.last_at) AS last_seen_at,
    c.end_reason AS end_reason,
    f.last_error AS error,
    s.interpreter_version AS interpreter_version,
    s.policy_backend AS policy_backend,
    s.code_version AS code_version
FROM run_started AS s FINAL
LEFT JOIN (SELECT run_id, max(iteration) AS last_iteration, max(occurred_at) AS last_at FROM iteration_completed GROUP BY run_id) AS i ON i.run_id = s.run_id
LEFT JOIN (SELECT run_id, any(reason) AS end_reason, max(occurred_at) AS last_at FROM run_completed GROUP BY run_id) AS c ON c.run_id = s.run_id
LEFT JOIN (SELECT run_id, argMax(error, occurred_at) AS last_error, max(occurred_at) AS last_at FROM run_failed GROUP BY run_id) AS f ON f.run_id = s.run_id AND f.last_at > i.last_at
LEFT JOIN (
    SELECT run_id, countIf(fact = 'paused') AS pauses, countIf(fact = 'resumed') AS resumes
    FROM (SELECT run_id, 'paused' AS fact FROM run_paused FINAL UNION ALL SELECT run_id, 'resumed' AS fact FROM run_resumed FINAL)
    GROUP BY run_id
) AS p ON p.run_id = s.run_id;

-- One row an attempt at a task: what was answered, and whether it was right.
CREATE OR REPLACE VIEW solutions AS
SELECT
    s.run_id AS run_id, s.iteration AS iteration, s.task_id AS task_id, s.kind AS kind, s.purpose AS purpose,
    s.group_id AS group_id, s.sample AS sample, s.policy_version AS policy_version,
    s.prompt_text AS prompt_text, s.completion_text AS completion_text, s.thought AS thought, s.answer AS answer,
    s.format_ok AS format_ok, v.correct AS correct, v.accuracy AS accuracy, v.reason AS reason,
    length(s.completion_tokens) AS completion_tokens
FROM solution_sampled AS s FINAL
LEFT JOIN solution_verified AS v FINAL
    ON v.run_id = s.run_id AND v.iteration = s.iteration AND v.group_id = s.group_id AND v.sample = s.sample;

-- One row a task: its program, where it comes from, how often it was tried and solved.
CREATE OR REPLACE VIEW task_history AS
SELECT
    t.run_id AS run_id, t.iteration AS iteration, t.task_id AS task_id, t.kind AS kind, t.origin AS origin,
    t.code AS code, t.inputs AS inputs, t.outputs AS outputs, t.message AS message, t.thought AS thought,
    t.proposal_id AS proposal_id, t.reference_task_ids AS reference_task_ids,
    if(l.task_id = '', NULL, l.learnability) AS learnability,
    a.attempts AS attempts, a.correct AS correct,
    if(a.attempts = 0, 0, a.correct / a.attempts) AS solve_rate,
    a.by_iteration AS solve_rate_by_iteration
FROM task_accepted AS t FINAL
LEFT JOIN learnability_estimated AS l FINAL ON l.run_id = t.run_id AND l.task_id = t.task_id
LEFT JOIN (
    SELECT run_id, task_id, sum(n) AS attempts, sum(k) AS correct, arraySort(groupArray((iteration, k / n))) AS by_iteration
    FROM (
        SELECT run_id, task_id, iteration, count() AS n, countIf(correct) AS k
        FROM solution_verified FINAL GROUP BY run_id, task_id, iteration
    )
    GROUP BY run_id, task_id
) AS a ON a.run_id = t.run_id AND a.task_id = t.task_id;

-- One row a component of a reward.
CREATE OR REPLACE VIEW rewards AS
SELECT
    run_id, iteration, role, kind, subject_id, task_id, sample, reward, component, raw, coefficient, cap, value,
    policy_version, occurred_at
FROM reward_assigned FINAL;

-- One row a score of an evaluation.
CREATE OR REPLACE VIEW evaluations AS
SELECT
    run_id, iteration, benchmark, checkpoint_version, checkpoint_digest, kind, bucket, `count`, correct,
    if(`count` = 0, 0, correct / `count`) AS accuracy, evaluation_id, duration_ms, occurred_at
FROM evaluation_completed FINAL;

-- One row an iteration: how many, how well, what the learner did, how long it took.
CREATE OR REPLACE VIEW iterations AS
SELECT
    c.run_id AS run_id, c.iteration AS iteration, c.proposals AS proposals, c.accepted AS accepted, c.rejected AS rejected,
    c.solutions AS solutions, c.rows AS rows, c.mean_solve_rate AS mean_solve_rate,
    JSONExtractFloat(c.solve_rates_json, 'deduction') AS solve_rate_deduction,
    JSONExtractFloat(c.solve_rates_json, 'abduction') AS solve_rate_abduction,
    JSONExtractFloat(c.solve_rates_json, 'induction') AS solve_rate_induction,
    c.rewards_json AS rewards_json,
    l.loss AS loss, l.grad_norm AS grad_norm, l.entropy AS entropy, l.approx_kl AS approx_kl, l.clip_fraction AS clip_fraction,
    if(e.questions = 0, NULL, e.correct / e.questions) AS held_out_accuracy,
    c.checkpoint_version AS checkpoint_version, c.checkpoint_digest AS checkpoint_digest,
    arraySum(arrayMap(x -> x.2, JSONExtractKeysAndValues(c.durations_json, 'Float64'))) AS duration_ms,
    c.durations_json AS durations_json, c.occurred_at AS completed_at
FROM iteration_completed AS c FINAL
LEFT JOIN learner_stepped AS l FINAL ON l.run_id = c.run_id AND l.iteration = c.iteration
LEFT JOIN (
    SELECT run_id, iteration, sum(`count`) AS questions, sum(correct) AS correct FROM evaluation_completed FINAL GROUP BY run_id, iteration
) AS e ON e.run_id = c.run_id AND e.iteration = c.iteration;

-- One row a distinct program of a run.
CREATE OR REPLACE VIEW programs AS
SELECT
    run_id, code, count() AS tasks, min(iteration) AS first_iteration, max(iteration) AS last_iteration,
    groupUniqArray(kind) AS kinds, uniqExact(inputs) AS distinct_inputs
FROM task_accepted FINAL
GROUP BY run_id, code;

-- One row a checkpoint, with its parent.
CREATE OR REPLACE VIEW policies AS
SELECT run_id, iteration, version, digest, parent_digest, folder, bytes, warm_up, occurred_at AS saved_at
FROM checkpoint_saved FINAL;
