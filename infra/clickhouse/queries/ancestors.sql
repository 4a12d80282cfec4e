-- Which tasks led to this one: the ancestors of {task} of {run} through its references, up to {generations} back (by default three, of its newest proposed task)?
SELECT depth, iteration, kind, origin, code, inputs, outputs, task_id
FROM lineage(
    run = {run:String},
    task = if({task:String} != '', {task:String}, (
        SELECT max(task_id) FROM task_accepted FINAL
        WHERE run_id = {run:String} AND reference_task_ids.size0 > 0 AND iteration = (
            SELECT max(iteration) FROM task_accepted WHERE run_id = {run:String} AND reference_task_ids.size0 > 0
        )
    )),
    generations = if({generations:String} != '', {generations:String}, '3')
)
