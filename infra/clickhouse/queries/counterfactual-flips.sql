-- Which tasks of {run} would be learned in the opposite direction under another configuration (by default the newest of azr replay --with)?
WITH asked AS (
    SELECT if({counterfactual:String} != '', {counterfactual:String}, (
        SELECT argMax(counterfactual_id, computed_at) FROM counterfactuals WHERE run_id = {run:String}
    )) AS id
),
flipped AS (
    SELECT assumeNotNull(task_id) AS task_id, any(kind) AS kind, count() AS sign_flips,
        round(avg(recorded_advantage), 3) AS recorded_mean, round(avg(advantage), 3) AS mean
    FROM counterfactual_advantages FINAL
    WHERE run_id = {run:String} AND counterfactual_id = (SELECT id FROM asked)
        AND recorded_advantage * advantage < 0 AND task_id IS NOT NULL
    GROUP BY task_id
    ORDER BY sign_flips DESC, task_id
    LIMIT 50
)
SELECT f.task_id AS task_id, f.kind AS kind, f.sign_flips AS sign_flips, f.recorded_mean AS recorded_mean,
    f.mean AS mean, t.code AS code
FROM flipped AS f
LEFT JOIN (
    SELECT task_id, code FROM task_accepted FINAL
    WHERE run_id = {run:String} AND task_id IN (SELECT task_id FROM flipped)
) AS t ON t.task_id = f.task_id
ORDER BY sign_flips DESC, task_id
