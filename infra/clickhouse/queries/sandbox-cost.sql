-- What did the sandbox run for {run}, with which outcomes, at what cost?
SELECT run_id, purpose, outcome, count() AS runs, round(sum(cpu_micros / length(inputs)) / 1e6, 2) AS cpu_s, max(max_rss_kib) AS max_rss_kib
FROM program_executed FINAL ARRAY JOIN outcome_kinds AS outcome
WHERE run_id = {run:String}
GROUP BY run_id, purpose, outcome ORDER BY run_id, purpose, runs DESC
