-- Does the proposer repeat itself: shares of proposals that the buffer refused, by iteration and kind of {run}?
SELECT iteration, kind, count() AS proposals,
    round(countIf(reason = 'duplicate') / count(), 3) AS duplicate_share,
    round(countIf(reason = 'program-cap') / count(), 3) AS program_cap_share,
    round(countIf(reason = '') / count(), 3) AS accepted_share
FROM (
    SELECT iteration, kind, '' AS reason FROM task_accepted FINAL WHERE run_id = {run:String} AND origin = 'proposal'
    UNION ALL
    SELECT iteration, kind, reason FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'proposal'
)
GROUP BY iteration, kind
ORDER BY iteration, kind
