-- Texts and token ids are half as large with ZSTD as with LZ4 (docs/OPERATIONS.md has the measurement); log-probabilities
-- are noise to either. What is written from now on, and what is merged, is stored so.
ALTER TABLE proposal_sampled MODIFY COLUMN prompt_text CODEC(ZSTD(1)), MODIFY COLUMN prompt_tokens CODEC(ZSTD(1)), MODIFY COLUMN completion_text CODEC(ZSTD(1)), MODIFY COLUMN completion_tokens CODEC(ZSTD(1));
ALTER TABLE solution_sampled MODIFY COLUMN prompt_text CODEC(ZSTD(1)), MODIFY COLUMN prompt_tokens CODEC(ZSTD(1)), MODIFY COLUMN completion_text CODEC(ZSTD(1)), MODIFY COLUMN completion_tokens CODEC(ZSTD(1)), MODIFY COLUMN thought CODEC(ZSTD(1));
ALTER TABLE learner_sample MODIFY COLUMN prompt_tokens CODEC(ZSTD(1)), MODIFY COLUMN completion_tokens CODEC(ZSTD(1));
ALTER TABLE example_evaluated MODIFY COLUMN prompt_tokens CODEC(ZSTD(1)), MODIFY COLUMN completion_text CODEC(ZSTD(1)), MODIFY COLUMN completion_tokens CODEC(ZSTD(1));
ALTER TABLE task_accepted MODIFY COLUMN thought CODEC(ZSTD(1));
