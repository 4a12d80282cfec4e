-- How does held-out accuracy of each kind move over the iterations of each run?
SELECT run_id, iteration, kind, round(sum(correct) / sum(count), 3) AS accuracy, sum(count) AS questions
FROM evaluations GROUP BY run_id, iteration, kind ORDER BY run_id, iteration, kind
