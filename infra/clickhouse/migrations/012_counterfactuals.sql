-- Rewards and advantages of runs under other configurations (azr replay RUN --with). Not facts: a function of the log and a
-- configuration, written by that command alone (docs/adr/0005). The same question asked again replaces its own rows.
CREATE TABLE IF NOT EXISTS counterfactuals
(
    run_id LowCardinality(String),
    counterfactual_id LowCardinality(String) COMMENT 'Digest of the other configuration: 16 hexadecimal characters of its SHA-256.',
    first_iteration Int32,
    last_iteration Int32,
    changes_json String COMMENT 'The keys that differ and matter: [{key, recorded, value}].',
    config_json String COMMENT 'The other configuration, whole.',
    code_version LowCardinality(String) COMMENT 'Version of the code that computed.',
    computed_at DateTime64(3, 'UTC') COMMENT 'When it was complete; its rows come before.'
)
ENGINE = ReplacingMergeTree(computed_at)
ORDER BY (run_id, counterfactual_id, first_iteration, last_iteration);

CREATE TABLE IF NOT EXISTS counterfactual_rewards
(
    run_id LowCardinality(String),
    counterfactual_id LowCardinality(String),
    iteration Int32,
    event_id String COMMENT 'Of RewardAssigned in the record: its rows are those of reward_assigned.',
    role LowCardinality(String),
    kind LowCardinality(String),
    subject_id String COMMENT 'The proposal or the group.',
    task_id Nullable(String),
    sample Int32,
    recorded_reward Nullable(Float64) COMMENT 'Null where the record has none.',
    reward Nullable(Float64) COMMENT 'Null where the other configuration leaves the attempt out.',
    component_names Array(LowCardinality(String)) COMMENT 'What the reward is made of.',
    component_values Array(Float64)
)
ENGINE = ReplacingMergeTree
ORDER BY (run_id, counterfactual_id, iteration, event_id, sample);

CREATE TABLE IF NOT EXISTS counterfactual_advantages
(
    run_id LowCardinality(String),
    counterfactual_id LowCardinality(String),
    iteration Int32,
    event_id String COMMENT 'Of LearnerSample in the record, or what it would be for a row that the record does not learn.',
    role LowCardinality(String),
    kind LowCardinality(String),
    subject_id String COMMENT 'The proposal or the group.',
    task_id Nullable(String),
    sample Int32,
    recorded_reward Nullable(Float64),
    reward Nullable(Float64),
    recorded_advantage Nullable(Float64) COMMENT 'Null where the record does not learn the row.',
    advantage Nullable(Float64) COMMENT 'Null where the other configuration does not.'
)
ENGINE = ReplacingMergeTree
ORDER BY (run_id, counterfactual_id, iteration, event_id, sample);
