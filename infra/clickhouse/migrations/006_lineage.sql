-- A task and all its ancestors through references, nearest first, a generation at a time (each ancestor once a generation,
-- whatever the number of paths to it): SELECT * FROM lineage(run = 'RUN', task = 'TASK', generations = '3'). A reference is a
-- task that the proposer was shown, or the one whose program it wrote inputs for. `generations` is text: empty means all
-- (no more than 1000).
CREATE OR REPLACE VIEW lineage AS
WITH RECURSIVE ancestors AS (
    SELECT toUInt32(0) AS depth, task_id, reference_task_ids
    FROM task_accepted FINAL
    WHERE run_id = {run:String} AND task_id = {task:String}
    UNION ALL
    SELECT p.depth AS depth, t.task_id AS task_id, t.reference_task_ids AS reference_task_ids
    FROM (SELECT task_id, reference_task_ids FROM task_accepted FINAL WHERE run_id = {run:String}) AS t
    INNER JOIN (
        SELECT DISTINCT a.depth + 1 AS depth, parent
        FROM ancestors AS a
        ARRAY JOIN a.reference_task_ids AS parent
        WHERE a.depth < if({generations:String} = '', 1000, toUInt32OrZero({generations:String}))
    ) AS p ON t.task_id = p.parent
)
SELECT d.depth AS depth, t.task_id AS task_id, t.iteration AS iteration, t.kind AS kind, t.origin AS origin,
    t.code AS code, t.inputs AS inputs, t.outputs AS outputs, t.reference_task_ids AS reference_task_ids
FROM (SELECT task_id, min(depth) AS depth FROM ancestors GROUP BY task_id) AS d
INNER JOIN (SELECT * FROM task_accepted FINAL WHERE run_id = {run:String}) AS t ON t.task_id = d.task_id
ORDER BY depth, iteration DESC, task_id;
