-- What became of the rows of the seed files that {run} was given: used, or refused for which reason?
-- A run has at most one file of pairs and one of induction rows, and a refusal names kind and line.
SELECT s.file_name AS file_name, if(r.reason = '', 'used', r.reason) AS fate, count() AS rows,
    if(fate = 'used', '', any(r.detail)) AS example
FROM (
    SELECT file_name, JSONHas(row_json, 'inputs') AS induction, line
    FROM seed_row_read FINAL WHERE run_id = {run:String}
) AS s
LEFT JOIN (
    SELECT toUInt8(kind = 'induction') AS induction, toInt32(source_line) AS line, reason, detail
    FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'seed'
) AS r ON r.induction = s.induction AND r.line = s.line
GROUP BY file_name, s.induction, fate
ORDER BY file_name, s.induction, rows DESC, fate
