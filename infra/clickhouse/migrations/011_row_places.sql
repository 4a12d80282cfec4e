-- Where a row stands in the learner's batch (learner-sample.v2).
ALTER TABLE learner_sample ADD COLUMN IF NOT EXISTS place Nullable(Int32) COMMENT 'Place of the row in the batch, from 0; null in runs recorded before there was one.' AFTER sample;
