-- What became of the rows of the seed files that {run} was given: used, or refused for which reason?
SELECT s.file_name AS file_name, if(r.reason = '', 'used', r.reason) AS fate, count() AS rows,
    if(fate = 'used', '', any(r.detail)) AS example
FROM (SELECT file_name, file_digest, line FROM seed_row_read FINAL WHERE run_id = {run:String}) AS s
LEFT JOIN (
    SELECT splitByString(', line ', detail)[1] AS file_name, toInt32(source_line) AS line, reason, detail
    FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'seed'
) AS r ON r.file_name = s.file_name AND r.line = s.line
GROUP BY file_name, fate
ORDER BY file_name, rows DESC
