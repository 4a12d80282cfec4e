-- Rows of the seed files that runs were given. What became of them: task_accepted and task_rejected with origin 'seed'.
CREATE TABLE IF NOT EXISTS seed_row_read
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    file_name String COMMENT 'Name of the file, without its folder.',
    file_digest String COMMENT 'SHA-256 of the file, hexadecimal.',
    line Int32 COMMENT 'Line in the file, from 1.',
    row_json String COMMENT 'The row, in the published row schema.',
    correlation_id String,
    causation_id Nullable(String),
    policy_version Nullable(Int32),
    occurred_at DateTime64(3, 'UTC'),
    code_version LowCardinality(String),
    log_partition Int32 COMMENT 'Partition of the log it stands in.',
    log_offset UInt64 COMMENT 'Offset of the log it stands at.',
    precedence UInt64 MATERIALIZED bitNot(log_offset) COMMENT 'Highest for the earliest write.'
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (run_id, iteration, event_id)
SETTINGS non_replicated_deduplication_window = 1000;
