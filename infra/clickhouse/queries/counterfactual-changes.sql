-- How do rewards and advantages of {run} change under another configuration (by default the newest of azr replay --with), by role and kind?
WITH asked AS (
    SELECT if({counterfactual:String} != '', {counterfactual:String}, (
        SELECT argMax(counterfactual_id, computed_at) FROM counterfactuals WHERE run_id = {run:String}
    )) AS id
)
SELECT counterfactual_id, role, kind, count(recorded_advantage) AS recorded_rows, count(advantage) AS rows,
    round(avg(recorded_reward), 3) AS recorded_mean_reward, round(avg(reward), 3) AS mean_reward,
    countIf(recorded_reward != reward) AS rewards_changed,
    countIf(recorded_advantage != advantage) AS advantages_changed,
    countIf(recorded_advantage * advantage < 0) AS sign_flips
FROM counterfactual_advantages FINAL
WHERE run_id = {run:String} AND counterfactual_id = (SELECT id FROM asked)
GROUP BY counterfactual_id, role, kind
ORDER BY role, kind
