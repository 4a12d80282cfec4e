-- Does the proposer of {run} keep inventing: distinct programs, inputs and lengths over the iterations?
SELECT run_id, iteration, kind, count() AS tasks, uniqExact(code) AS programs, uniqExact(inputs) AS inputs,
    round(avg(length(splitByChar('\n', code)) - 2), 2) AS mean_statements
FROM task_accepted FINAL WHERE run_id = {run:String} GROUP BY run_id, iteration, kind ORDER BY run_id, iteration, kind
