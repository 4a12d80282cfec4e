-- Which tasks of {run} were tried most and solved least?
SELECT run_id, kind, code, inputs, outputs, attempts, round(solve_rate, 3) AS solve_rate
FROM task_history WHERE run_id = {run:String} AND attempts >= 16 ORDER BY solve_rate, attempts DESC, task_id LIMIT 20
