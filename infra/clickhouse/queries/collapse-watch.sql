-- Is the policy collapsing: falling entropy, repeats among proposals, one answer for everything?
SELECT i.run_id AS run_id, i.iteration AS iteration, round(i.entropy, 3) AS entropy,
    round(r.repeats / i.proposals, 3) AS repeat_share, round(s.top_answer_share, 3) AS top_answer_share
FROM iterations AS i
LEFT JOIN (SELECT run_id, iteration, countIf(reason IN ('duplicate', 'program-cap')) AS repeats FROM task_rejected FINAL GROUP BY run_id, iteration) AS r
    ON r.run_id = i.run_id AND r.iteration = i.iteration
LEFT JOIN (
    SELECT run_id, iteration, max(n) / sum(n) AS top_answer_share
    FROM (SELECT run_id, iteration, answer, count() AS n FROM solution_sampled FINAL GROUP BY run_id, iteration, answer)
    GROUP BY run_id, iteration
) AS s ON s.run_id = i.run_id AND s.iteration = i.iteration
ORDER BY run_id, iteration
