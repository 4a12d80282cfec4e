-- How was this task tried: every attempt at {task} of {run} with its thought and answer (by default at the task tried most)?
SELECT iteration, purpose, sample, correct, thought, answer, reason, completion_tokens
FROM solutions
WHERE run_id = {run:String} AND task_id = if({task:String} != '', {task:String}, (
    SELECT task_id FROM solution_sampled FINAL WHERE run_id = {run:String} GROUP BY task_id ORDER BY count() DESC, task_id LIMIT 1
))
ORDER BY iteration, purpose, sample
LIMIT 200
