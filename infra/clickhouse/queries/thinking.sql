-- Does the solver learn to think before it answers: share of attempts with a thought, its length, and accuracy with and without, by iteration and kind of {run}?
SELECT s.iteration AS iteration, s.kind AS kind, count() AS attempts,
    round(countIf(s.thought IS NOT NULL) / count(), 3) AS thought_share,
    round(avg(length(s.completion_tokens)), 1) AS mean_tokens,
    round(avgIf(v.accuracy, s.thought IS NOT NULL), 3) AS accuracy_with,
    round(avgIf(v.accuracy, s.thought IS NULL), 3) AS accuracy_without
FROM (SELECT iteration, kind, group_id, sample, thought, completion_tokens FROM solution_sampled FINAL WHERE run_id = {run:String}) AS s
INNER JOIN (SELECT group_id, sample, accuracy FROM solution_verified FINAL WHERE run_id = {run:String}) AS v
    ON v.group_id = s.group_id AND v.sample = s.sample
GROUP BY iteration, kind
ORDER BY kind, iteration
