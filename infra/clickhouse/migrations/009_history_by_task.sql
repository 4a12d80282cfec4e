-- What is asked about one task: found by its id inside a run. Rows are ordered by (run_id, iteration, event_id), so a
-- task's attempts lie wherever its iterations are; the filter says for each granule whether it can hold the id. Granules
-- of long texts have few rows (they close at 10 MiB), so little is read beside what is asked for.
ALTER TABLE task_accepted ADD INDEX IF NOT EXISTS by_task task_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE task_accepted MATERIALIZE INDEX by_task;
ALTER TABLE solution_sampled ADD INDEX IF NOT EXISTS by_task task_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE solution_sampled MATERIALIZE INDEX by_task;
ALTER TABLE solution_verified ADD INDEX IF NOT EXISTS by_task task_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE solution_verified MATERIALIZE INDEX by_task;
ALTER TABLE learnability_estimated ADD INDEX IF NOT EXISTS by_task task_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE learnability_estimated MATERIALIZE INDEX by_task;
ALTER TABLE reward_assigned ADD INDEX IF NOT EXISTS by_task task_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE reward_assigned MATERIALIZE INDEX by_task;

-- One row an attempt at a task: what was thought and answered, and whether it was right. Joined by the task too, so that a
-- question about one task reads one task's verdicts.
CREATE OR REPLACE VIEW solutions AS
SELECT
    s.run_id AS run_id, s.iteration AS iteration, s.task_id AS task_id, s.kind AS kind, s.purpose AS purpose,
    s.group_id AS group_id, s.sample AS sample, s.policy_version AS policy_version,
    s.prompt_text AS prompt_text, s.completion_text AS completion_text, s.thought AS thought, s.answer AS answer,
    s.format_ok AS format_ok, v.correct AS correct, v.accuracy AS accuracy, v.reason AS reason,
    length(s.completion_tokens) AS completion_tokens
FROM solution_sampled AS s FINAL
LEFT JOIN solution_verified AS v FINAL
    ON v.run_id = s.run_id AND v.task_id = s.task_id AND v.iteration = s.iteration AND v.group_id = s.group_id
        AND v.sample = s.sample;

-- One row a task: its program, where it comes from, every verdict on it, and the solve rate of each iteration.
CREATE OR REPLACE VIEW task_history AS
SELECT
    t.run_id AS run_id, t.iteration AS iteration, t.task_id AS task_id, t.kind AS kind, t.origin AS origin,
    t.code AS code, t.inputs AS inputs, t.outputs AS outputs, t.message AS message, t.thought AS thought,
    t.proposal_id AS proposal_id, t.reference_task_ids AS reference_task_ids,
    if(l.task_id = '', NULL, l.learnability) AS learnability,
    a.attempts AS attempts, a.correct AS correct,
    if(a.attempts = 0, 0, a.correct / a.attempts) AS solve_rate,
    a.by_iteration AS solve_rate_by_iteration,
    a.every AS every_attempt
FROM task_accepted AS t FINAL
LEFT JOIN learnability_estimated AS l FINAL ON l.run_id = t.run_id AND l.task_id = t.task_id
LEFT JOIN (
    SELECT run_id, task_id, sum(n) AS attempts, sum(k) AS correct, arraySort(groupArray((iteration, k / n))) AS by_iteration,
        arraySort(groupArrayArray(tried)) AS every
    FROM (
        SELECT run_id, task_id, iteration, count() AS n, countIf(correct) AS k,
            groupArray((iteration, purpose, group_id, sample, correct, accuracy, reason)) AS tried
        FROM solution_verified FINAL GROUP BY run_id, task_id, iteration
    )
    GROUP BY run_id, task_id
) AS a ON a.run_id = t.run_id AND a.task_id = t.task_id;
