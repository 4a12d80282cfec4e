-- Where does the time of an iteration of {run} go, in seconds?
SELECT run_id, timed.1 AS step, round(avg(timed.2) / 1000, 2) AS mean_s, round(max(timed.2) / 1000, 2) AS max_s, count() AS iterations
FROM iterations ARRAY JOIN JSONExtractKeysAndValues(durations_json, 'Float64') AS timed
WHERE run_id = {run:String}
GROUP BY run_id, step ORDER BY run_id, mean_s DESC
