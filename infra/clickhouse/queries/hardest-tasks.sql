-- Which tasks of {run} were tried most and solved least?
WITH hardest AS (
    SELECT task_id, count() AS attempts, round(countIf(correct) / count(), 3) AS solve_rate
    FROM solution_verified FINAL
    WHERE run_id = {run:String}
    GROUP BY task_id
    HAVING attempts >= 16
    ORDER BY solve_rate, attempts DESC, task_id
    LIMIT 20
)
SELECT t.run_id AS run_id, t.kind AS kind, t.code AS code, t.inputs AS inputs, t.outputs AS outputs,
    h.attempts AS attempts, h.solve_rate AS solve_rate
FROM (
    SELECT * FROM task_accepted FINAL
    WHERE run_id = {run:String} AND task_id IN (SELECT task_id FROM hardest)
) AS t
INNER JOIN hardest AS h ON h.task_id = t.task_id
ORDER BY solve_rate, attempts DESC, t.task_id
