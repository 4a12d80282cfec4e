-- How much does each table hold: rows, bytes on disk and bytes a row?
SELECT table, sum(p.rows) AS rows, formatReadableSize(sum(p.bytes_on_disk)) AS on_disk,
    formatReadableSize(sum(p.data_uncompressed_bytes)) AS uncompressed,
    round(sum(p.bytes_on_disk) / greatest(1, sum(p.rows)), 1) AS bytes_a_row
FROM system.parts AS p
WHERE active AND database = currentDatabase()
GROUP BY table
ORDER BY sum(p.bytes_on_disk) DESC
