-- Of what are the rewards of {run} made, by role and kind?
SELECT run_id, role, kind, component, count() AS attempts, round(avg(value), 3) AS mean_value, round(avg(raw), 3) AS mean_raw
FROM rewards WHERE run_id = {run:String} GROUP BY run_id, role, kind, component ORDER BY run_id, role, kind, attempts DESC
