-- Is the policy of {run} collapsing: falling entropy, repeats among proposals, one answer for everything?
SELECT i.run_id AS run_id, i.iteration AS iteration, round(i.entropy, 3) AS entropy,
    round(r.repeats / i.proposals, 3) AS repeat_share, round(s.top_answer_share, 3) AS top_answer_share
FROM iterations AS i
LEFT JOIN (
    SELECT iteration, countIf(reason IN ('duplicate', 'program-cap')) AS repeats
    FROM task_rejected FINAL WHERE run_id = {run:String} GROUP BY iteration
) AS r ON r.iteration = i.iteration
LEFT JOIN (
    SELECT iteration, max(n) / sum(n) AS top_answer_share
    FROM (SELECT iteration, answer, count() AS n FROM solution_sampled FINAL WHERE run_id = {run:String} GROUP BY iteration, answer)
    GROUP BY iteration
) AS s ON s.iteration = i.iteration
WHERE i.run_id = {run:String}
ORDER BY iteration
