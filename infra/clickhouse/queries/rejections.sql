-- Why do proposals of {run} become no tasks, and does that change over the iterations?
SELECT run_id, intDiv(iteration - 1, 5) * 5 + 1 AS from_iteration, kind, reason, count() AS proposals
FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'proposal'
GROUP BY run_id, from_iteration, kind, reason ORDER BY run_id, from_iteration, kind, proposals DESC
