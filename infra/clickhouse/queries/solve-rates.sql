-- Are the tasks of the right difficulty: how many proposals of each iteration and kind of {run} are unsolved, hard, easy, trivial?
SELECT iteration, kind, count() AS tasks,
    countIf(mean_accuracy = 0) AS unsolved,
    countIf(mean_accuracy > 0 AND mean_accuracy < 0.5) AS hard,
    countIf(mean_accuracy >= 0.5 AND mean_accuracy < 1) AS easy,
    countIf(mean_accuracy = 1) AS trivial,
    round(avg(learnability), 3) AS mean_learnability
FROM learnability_estimated FINAL
WHERE run_id = {run:String}
GROUP BY iteration, kind
ORDER BY iteration, kind
