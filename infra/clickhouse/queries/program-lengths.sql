-- Does the proposer settle on programs of one length: shares of statements a program by iteration and kind of {run}?
SELECT iteration, kind, length(splitByChar('\n', code)) - 2 AS statements, count() AS tasks,
    round(count() / sum(count()) OVER (PARTITION BY iteration, kind), 3) AS share
FROM task_accepted FINAL
WHERE run_id = {run:String} AND proposal_id IS NOT NULL
GROUP BY iteration, kind, statements
ORDER BY iteration, kind, statements
