-- Programs given to a proposer as functions (proposal-sampled.v2).
ALTER TABLE proposal_sampled ADD COLUMN IF NOT EXISTS composite_task_ids Array(String) COMMENT 'Tasks whose programs were given as functions g_0, g_1, ... that the proposed one has to call.' AFTER program_source;
