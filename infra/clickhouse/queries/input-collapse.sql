-- Does the proposer write one input for everything: the commonest input's share by iteration and kind of {run}?
SELECT iteration, kind, sum(n) AS inputs, count() AS distinct_inputs, argMax(input, n) AS commonest,
    round(max(n) / sum(n), 3) AS share
FROM (
    SELECT iteration, kind, input, count() AS n
    FROM task_accepted FINAL
    ARRAY JOIN inputs AS input
    WHERE run_id = {run:String} AND proposal_id IS NOT NULL
    GROUP BY iteration, kind, input
)
GROUP BY iteration, kind
ORDER BY iteration, kind
