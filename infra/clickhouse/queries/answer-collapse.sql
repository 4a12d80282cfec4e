-- Does the solver give one answer to everything: the commonest answer's share by iteration and kind of {run}?
SELECT iteration, kind, sum(n) AS answers, count() AS distinct_answers, argMax(given, n) AS commonest,
    round(max(n) / sum(n), 3) AS share
FROM (
    SELECT iteration, kind, coalesce(answer, '(none)') AS given, count() AS n
    FROM solution_sampled FINAL
    WHERE run_id = {run:String}
    GROUP BY iteration, kind, given
)
GROUP BY iteration, kind
ORDER BY iteration, kind
