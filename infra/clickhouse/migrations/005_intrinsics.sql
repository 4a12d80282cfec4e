-- Raw intrinsic measures of accepted proposals, one row a measure. Rewards of the same proposal: reward_assigned.
CREATE TABLE IF NOT EXISTS intrinsics_measured
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    proposal_id String COMMENT 'The proposal.',
    task_id String COMMENT 'The task that it became.',
    kind LowCardinality(String) COMMENT 'Its kind.',
    measure LowCardinality(String) COMMENT 'The term, as in complexity or answer_diversity.',
    raw Float64 COMMENT 'Its value before coefficient and cap, without unit.',
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
ORDER BY (run_id, iteration, event_id, measure)
SETTINGS non_replicated_deduplication_window = 1000;
