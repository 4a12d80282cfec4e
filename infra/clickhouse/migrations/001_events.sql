-- One table an event. A row is one fact; facts with several attempts, components or scores are one row each.
--
-- Ordered by (run_id, iteration, event_id): every question is about runs and iterations, and equal facts meet in a merge.
-- The engine keeps the row of the lowest offset among equal keys: first write wins, so a rebuilt or re-read log converges.

-- A run began; holds everything that decides its course.
CREATE TABLE IF NOT EXISTS run_started
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    preset String COMMENT 'Name of the preset.',
    config_json String COMMENT 'The resolved configuration, JSON with sorted keys.',
    config_hash String COMMENT 'SHA-256 of configJson.',
    seed Int64 COMMENT 'Root of all random draws.',
    parent_run_id Nullable(String) COMMENT 'The run it was forked from.',
    parent_iteration Nullable(Int32) COMMENT 'The iteration it was forked at.',
    interpreter_version String COMMENT 'Python of the sandbox, as in 3.11.2.',
    interpreter_platform String COMMENT 'Its platform.',
    libc String COMMENT 'Its C library.',
    isolation String COMMENT 'isolated, or none.',
    policy_backend String COMMENT 'What runs the policy, as in tfjs-node-gpu.',
    policy_library String COMMENT 'Library and version behind the backend.',
    initial_checkpoint_digest Nullable(String) COMMENT 'Digest of the checkpoint a fork starts from.',
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

-- A run was paused.
CREATE TABLE IF NOT EXISTS run_paused
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    reason String COMMENT 'Why.',
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

-- A paused run goes on.
CREATE TABLE IF NOT EXISTS run_resumed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    reason String COMMENT 'Why.',
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

-- A run was started from the state of another.
CREATE TABLE IF NOT EXISTS run_forked
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    parent_run_id String COMMENT 'The other run.',
    parent_iteration Int32 COMMENT 'The iteration whose state it starts from.',
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

-- A run ended as it should.
CREATE TABLE IF NOT EXISTS run_completed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    iterations Int32 COMMENT 'Iterations completed.',
    reason String COMMENT 'iterations, minutes or stopped.',
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

-- A run ended with an error.
CREATE TABLE IF NOT EXISTS run_failed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    error String COMMENT 'What went wrong.',
    step String COMMENT 'The step it was in.',
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

-- An iteration began.
CREATE TABLE IF NOT EXISTS iteration_started
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    checkpoint_version Int32 COMMENT 'Version of the policy that proposes and solves.',
    checkpoint_digest String COMMENT 'Its digest.',
    start_offsets_json String COMMENT 'Next offset of every topic and partition at the start, as JSON.',
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

-- An iteration ended.
CREATE TABLE IF NOT EXISTS iteration_completed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    proposals Int32 COMMENT 'Proposals sampled.',
    accepted Int32 COMMENT 'Tasks accepted.',
    rejected Int32 COMMENT 'Proposals rejected.',
    solutions Int32 COMMENT 'Attempts sampled.',
    rows Int32 COMMENT 'Rows learned from.',
    mean_solve_rate Float64 COMMENT 'Mean over kinds of the mean accuracy of attempts.',
    solve_rates_json String COMMENT 'Mean accuracy of attempts by kind, as JSON.',
    rewards_json String COMMENT 'Mean reward by role and kind, as JSON.',
    durations_json String COMMENT 'Milliseconds by step, as JSON.',
    checkpoint_version Int32 COMMENT 'Policy version after it.',
    checkpoint_digest String COMMENT 'Its digest.',
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

-- The policy proposed: one completion of one proposer prompt.
CREATE TABLE IF NOT EXISTS proposal_sampled
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    proposal_id String COMMENT 'The proposal.',
    kind LowCardinality(String) COMMENT 'Kind of task proposed.',
    `index` Int32 COMMENT 'Place in the batch of its kind, from 0.',
    template_version String COMMENT 'Version of the prompt templates.',
    prompt_text Nullable(String) COMMENT 'The prompt as text; null where the tokens say it all.',
    prompt_tokens Array(Int32) COMMENT 'The prompt.',
    reference_task_ids Array(String) COMMENT 'Tasks of the buffer shown in the prompt.',
    completion_text String COMMENT 'The completion as text.',
    completion_tokens Array(Int32) COMMENT 'The completion, its end token included.',
    log_probs Array(Float32) COMMENT 'Log-probability of each completion token when it was sampled, nats.',
    finish LowCardinality(String) COMMENT 'Why it ended.',
    seed Int64 COMMENT 'Seed of the sample.',
    temperature Float64 COMMENT 'Sampling temperature.',
    program_task_id Nullable(String) COMMENT 'Induction: the task whose program was given.',
    program_source Nullable(String) COMMENT 'Induction: that program.',
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

-- A program ran in the sandbox on one or more inputs.
CREATE TABLE IF NOT EXISTS program_executed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    execution_id String COMMENT 'The execution.',
    purpose LowCardinality(String) COMMENT 'What for.',
    subject_id String COMMENT 'The proposal, attempt or seed row it served.',
    code String COMMENT 'The program text.',
    inputs Array(String) COMMENT 'Argument texts.',
    outcome_kinds Array(String) COMMENT 'Outcome of each input.',
    outcome_texts Array(Nullable(String)) COMMENT 'Value of each input, as literal text.',
    outcome_errors Array(Nullable(String)) COMMENT 'Exception class of each input.',
    outcome_messages Array(Nullable(String)) COMMENT 'Message of each input.',
    deterministic Bool COMMENT 'Whether all seeds agreed.',
    seeds Int32 COMMENT 'How many sandboxes ran it.',
    cpu_micros Int64 COMMENT 'CPU time of all children, microseconds.',
    max_rss_kib Int64 COMMENT 'Largest resident set of a child, KiB.',
    interpreter_version String COMMENT 'Python that ran it.',
    interpreter_platform String COMMENT 'Its platform.',
    libc String COMMENT 'Its C library.',
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

-- A task entered the buffer.
CREATE TABLE IF NOT EXISTS task_accepted
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    task_id String COMMENT 'The task.',
    proposal_id Nullable(String) COMMENT 'The proposal it came from; null for seeds.',
    origin LowCardinality(String) COMMENT 'Where it comes from.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    `index` Int32 COMMENT 'Place in the batch of its kind; for seeds the line of the file.',
    code String COMMENT 'The program that defines f.',
    original_code String COMMENT 'The program as written, before any rewriting.',
    inputs Array(String) COMMENT 'Argument texts: one, or several for induction.',
    outputs Array(String) COMMENT 'Outputs as literal text, in the order of the inputs.',
    message Nullable(String) COMMENT 'Induction: what the solver is told.',
    imports Array(String) COMMENT 'Import statements found.',
    thought Nullable(String) COMMENT 'What the proposer thought.',
    composite_task_ids Array(String) COMMENT 'Tasks whose programs it is composed of.',
    reference_task_ids Array(String) COMMENT 'Tasks shown to its proposer.',
    format_ok Bool COMMENT 'Whether the completion had the asked-for form.',
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

-- A proposal or seed row did not become a task.
CREATE TABLE IF NOT EXISTS task_rejected
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    subject_id String COMMENT 'The proposal or seed row.',
    proposal_id Nullable(String) COMMENT 'The proposal; null for seeds.',
    origin LowCardinality(String) COMMENT 'Where it comes from.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    `index` Int32 COMMENT 'Place in the batch of its kind; for seeds the line of the file.',
    reason String COMMENT 'Closed code of the reason.',
    detail String COMMENT 'The reason in words.',
    format_ok Bool COMMENT 'Whether the completion had the asked-for form.',
    code Nullable(String) COMMENT 'The program, where one was found.',
    source_line Nullable(Int32) COMMENT 'Line of the seed file.',
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

-- The policy tried a task: all attempts at one prompt.
CREATE TABLE IF NOT EXISTS solution_sampled
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    group_id String COMMENT 'The attempts as a group.',
    task_id String COMMENT 'The task.',
    kind LowCardinality(String) COMMENT 'Its kind.',
    purpose LowCardinality(String) COMMENT 'What the attempts are for.',
    `index` Int32 COMMENT 'Place among the groups of its kind and purpose.',
    template_version String COMMENT 'Version of the prompt templates.',
    prompt_text Nullable(String) COMMENT 'The prompt as text; null where the tokens say it all.',
    prompt_tokens Array(Int32) COMMENT 'The prompt.',
    given_inputs Array(String) COMMENT 'Induction: pairs shown.',
    given_outputs Array(String) COMMENT 'Induction: pairs shown.',
    hidden_inputs Array(String) COMMENT 'Induction: pairs it is judged on.',
    hidden_outputs Array(String) COMMENT 'Induction: pairs it is judged on.',
    temperature Float64 COMMENT 'Sampling temperature.',
    sample Int32 COMMENT 'Which attempt, from 0.',
    seed Int64 COMMENT 'Seed of the sample.',
    completion_text String COMMENT 'The completion as text.',
    completion_tokens Array(Int32) COMMENT 'The completion.',
    log_probs Array(Float32) COMMENT 'Log-probability of each completion token when it was sampled, nats.',
    finish LowCardinality(String) COMMENT 'Why it ended.',
    thought Nullable(String) COMMENT 'What the solver thought.',
    answer Nullable(String) COMMENT 'The answer found in it; null where there is none.',
    format_ok Bool COMMENT 'Whether it had the asked-for form.',
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
ORDER BY (run_id, iteration, event_id, sample)
SETTINGS non_replicated_deduplication_window = 1000;

-- The attempts of a group were judged.
CREATE TABLE IF NOT EXISTS solution_verified
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    group_id String COMMENT 'The group.',
    task_id String COMMENT 'The task.',
    kind LowCardinality(String) COMMENT 'Its kind.',
    purpose LowCardinality(String) COMMENT 'What the attempts were for.',
    sample Int32 COMMENT 'Which attempt, from 0.',
    correct Bool COMMENT 'Whether it is right in full.',
    accuracy Float64 COMMENT 'Share of judged pairs that are right, 0 to 1.',
    reason String COMMENT 'Why, as a closed code.',
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
ORDER BY (run_id, iteration, event_id, sample)
SETTINGS non_replicated_deduplication_window = 1000;

-- How often the solver solves a fresh task.
CREATE TABLE IF NOT EXISTS learnability_estimated
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    proposal_id String COMMENT 'The proposal.',
    task_id String COMMENT 'The task.',
    kind LowCardinality(String) COMMENT 'Its kind.',
    samples Int32 COMMENT 'Rollouts behind the estimate.',
    mean_accuracy Float64 COMMENT 'Mean accuracy of the rollouts, 0 to 1.',
    learnability Float64 COMMENT 'What the proposer is paid for it, 0 to 1.',
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

-- Rewards of one proposal, or of the attempts of one group.
CREATE TABLE IF NOT EXISTS reward_assigned
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    role LowCardinality(String) COMMENT 'Whose rewards.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    subject_id String COMMENT 'The proposal or the group.',
    task_id Nullable(String) COMMENT 'The task; null where the proposal became none.',
    sample Int32 COMMENT 'Which attempt, from 0.',
    reward Float64 COMMENT 'The reward of the attempt.',
    component LowCardinality(String) COMMENT 'Name of the component.',
    raw Float64 COMMENT 'Raw value.',
    coefficient Float64 COMMENT 'Factor.',
    cap Nullable(Float64) COMMENT 'Upper bound of its contribution.',
    value Float64 COMMENT 'What it contributes.',
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
ORDER BY (run_id, iteration, event_id, sample, component)
SETTINGS non_replicated_deduplication_window = 1000;

-- The learner's batch of an iteration is complete.
CREATE TABLE IF NOT EXISTS learner_batch_prepared
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    batch_id String COMMENT 'The batch.',
    rows Int32 COMMENT 'Number of LearnerSample events.',
    advantage_estimator String COMMENT 'Name of the estimator.',
    role LowCardinality(String) COMMENT 'Role.',
    kind LowCardinality(String) COMMENT 'Kind.',
    count Int32 COMMENT 'Rows.',
    mean Float64 COMMENT 'Mean reward.',
    std Float64 COMMENT 'Standard deviation of the reward.',
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
ORDER BY (run_id, iteration, event_id, role, kind)
SETTINGS non_replicated_deduplication_window = 1000;

-- A row of the learner's batch.
CREATE TABLE IF NOT EXISTS learner_sample
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    batch_id String COMMENT 'The batch.',
    sample_id String COMMENT 'The row.',
    role LowCardinality(String) COMMENT 'Role.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    subject_id String COMMENT 'The proposal or the group.',
    sample Int32 COMMENT 'Which attempt.',
    prompt_tokens Array(Int32) COMMENT 'The prompt.',
    completion_tokens Array(Int32) COMMENT 'The completion: the loss is on these.',
    log_probs Array(Float32) COMMENT 'Behaviour log-probabilities, nats.',
    grammar Nullable(String) COMMENT 'Start state of the policy''s grammar; null where it has none.',
    reward Float64 COMMENT 'The reward.',
    advantage Float64 COMMENT 'The advantage.',
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

-- The learner made checkpoint N from checkpoint N-1 and a batch.
CREATE TABLE IF NOT EXISTS learner_stepped
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    batch_id String COMMENT 'The batch.',
    parent_version Int32 COMMENT 'Version before.',
    parent_digest String COMMENT 'Digest before.',
    version Int32 COMMENT 'Version after.',
    digest String COMMENT 'Digest after.',
    backend String COMMENT 'What computed it.',
    loss Float64 COMMENT 'Policy loss.',
    grad_norm Float64 COMMENT 'Global gradient norm before clipping.',
    entropy Float64 COMMENT 'Mean entropy of completion tokens, nats.',
    approx_kl Float64 COMMENT 'Mean of (ratio - 1) - log ratio.',
    clip_fraction Float64 COMMENT 'Share of tokens whose ratio was clipped.',
    tokens Int32 COMMENT 'Completion tokens.',
    rows Int32 COMMENT 'Rows.',
    groups_json String COMMENT 'Statistics by role and kind, as JSON.',
    duration_ms Int64 COMMENT 'Wall time, milliseconds.',
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

-- A checkpoint is complete on disk.
CREATE TABLE IF NOT EXISTS checkpoint_saved
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    version Int32 COMMENT 'Policy version.',
    folder String COMMENT 'Folder, relative to the data folder.',
    digest String COMMENT 'SHA-256 of its manifest.',
    parent_digest Nullable(String) COMMENT 'Digest of its parent; null for the first.',
    bytes Int64 COMMENT 'Size of all files, bytes.',
    warm_up Bool COMMENT 'Whether it is the one before self-play.',
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

-- A checkpoint was scored on a benchmark.
CREATE TABLE IF NOT EXISTS evaluation_completed
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    evaluation_id String COMMENT 'The evaluation.',
    checkpoint_version Int32 COMMENT 'Policy version.',
    checkpoint_digest String COMMENT 'Its digest.',
    benchmark String COMMENT 'Name and version of the benchmark.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    bucket String COMMENT 'Bucket of the benchmark.',
    count Int32 COMMENT 'Questions.',
    correct Int32 COMMENT 'Right answers.',
    duration_ms Int64 COMMENT 'Wall time, milliseconds.',
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
ORDER BY (run_id, iteration, event_id, kind, bucket)
SETTINGS non_replicated_deduplication_window = 1000;

-- One question of an evaluation was answered.
CREATE TABLE IF NOT EXISTS example_evaluated
(
    event_id String,
    run_id LowCardinality(String),
    iteration Int32,
    evaluation_id String COMMENT 'The evaluation.',
    benchmark String COMMENT 'Name and version of the benchmark.',
    example_id String COMMENT 'The question.',
    kind LowCardinality(String) COMMENT 'Kind of task.',
    bucket String COMMENT 'Its bucket.',
    code String COMMENT 'The program it is about.',
    prompt_tokens Array(Int32) COMMENT 'The prompt.',
    completion_text String COMMENT 'The completion as text.',
    completion_tokens Array(Int32) COMMENT 'The completion.',
    answer Nullable(String) COMMENT 'The answer found in it.',
    expected String COMMENT 'An answer that would be right.',
    correct Bool COMMENT 'Whether it is right.',
    reason String COMMENT 'Why, as a closed code.',
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

-- Up to where each partition of the log is in these tables. Written after the rows it speaks of.
CREATE TABLE IF NOT EXISTS sink_offsets
(
    topic LowCardinality(String),
    log_partition Int32,
    next_offset UInt64,
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic, log_partition);
