-- Where a run's configuration comes from (run-started.v2).
ALTER TABLE run_started ADD COLUMN IF NOT EXISTS origin_json String COMMENT 'Where the configuration comes from, as JSON: preset, file, mode, overrides; empty where not recorded.' AFTER initial_checkpoint_digest;
