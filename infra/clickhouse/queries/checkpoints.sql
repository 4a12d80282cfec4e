-- Which checkpoints came from which: version, parent, iteration and size of all checkpoints of {run}?
SELECT version, iteration, warm_up, substring(digest, 1, 12) AS digest, substring(coalesce(parent_digest, ''), 1, 12) AS parent,
    formatReadableSize(bytes) AS size, saved_at
FROM policies
WHERE run_id = {run:String}
ORDER BY version
