-- Does the solver learn to think before it answers: share of attempts with a thought, its length, and accuracy with and without, by iteration and kind of {run}?
SELECT s.iteration AS iteration, s.kind AS kind, count() AS attempts,
    round(countIf(s.thought_given) / count(), 3) AS thought_share,
    round(avg(s.tokens), 1) AS mean_tokens,
    round(avgIf(v.accuracy, s.thought_given), 3) AS accuracy_with,
    round(avgIf(v.accuracy, NOT s.thought_given), 3) AS accuracy_without
-- Attempts meet their verdicts by a 128-bit hash of their group and number: as good as the ids, which are such hashes
-- themselves, and a quarter less work than a join by text.
FROM (
    SELECT iteration, kind, sipHash128(group_id, sample) AS attempt, NOT thought.null AS thought_given, completion_tokens.size0 AS tokens
    FROM solution_sampled FINAL WHERE run_id = {run:String}
) AS s
INNER JOIN (
    SELECT sipHash128(group_id, sample) AS attempt, accuracy FROM solution_verified FINAL WHERE run_id = {run:String}
) AS v ON v.attempt = s.attempt
GROUP BY iteration, kind
ORDER BY kind, iteration
