-- Which tasks were tried most and solved least?
SELECT run_id, kind, code, inputs, outputs, attempts, round(solve_rate, 3) AS solve_rate
FROM task_history WHERE attempts >= 16 ORDER BY solve_rate, attempts DESC LIMIT 20
