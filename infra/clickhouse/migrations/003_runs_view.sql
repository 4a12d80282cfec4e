-- A failure counts until something later is finished: an iteration, or (new here) the run as a whole.
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
LEFT JOIN (SELECT run_id, argMax(error, occurred_at) AS last_error, max(occurred_at) AS last_at FROM run_failed GROUP BY run_id) AS f ON f.run_id = s.run_id AND f.last_at > greatest(i.last_at, c.last_at)
LEFT JOIN (
    SELECT run_id, countIf(fact = 'paused') AS pauses, countIf(fact = 'resumed') AS resumes
    FROM (SELECT run_id, 'paused' AS fact FROM run_paused FINAL UNION ALL SELECT run_id, 'resumed' AS fact FROM run_resumed FINAL)
    GROUP BY run_id
) AS p ON p.run_id = s.run_id;
