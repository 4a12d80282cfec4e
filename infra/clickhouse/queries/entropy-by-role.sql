-- Does the policy stop exploring: mean entropy of its tokens by role and kind over the iterations of {run}?
SELECT iteration, role_and_kind, round(JSONExtractFloat(statistics, 'entropy'), 3) AS entropy,
    JSONExtractUInt(statistics, 'rows') AS rows, JSONExtractUInt(statistics, 'tokens') AS tokens
FROM learner_stepped FINAL
ARRAY JOIN
    JSONExtractKeys(groups_json) AS role_and_kind,
    arrayMap(pair -> pair.2, JSONExtractKeysAndValuesRaw(groups_json)) AS statistics
WHERE run_id = {run:String}
ORDER BY role_and_kind, iteration
