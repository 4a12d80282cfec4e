-- How do the metrics of {run} move, by iteration, under their published names (or azr/... where the published name means something else)?
WITH
    -- Proposals: valid or not, well-formed or not, and what they are worth (nothing where they are not valid). Each table is
    -- summed by iteration and kind before they meet: a join of proposals one by one costs ten times as much.
    proposals AS (
        SELECT run_id, iteration, kind, 1 AS valid, format_ok FROM task_accepted FINAL WHERE run_id = {run:String} AND origin = 'proposal'
        UNION ALL
        SELECT run_id, iteration, kind, 0 AS valid, format_ok FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'proposal'
    ),
    proposer AS (
        SELECT
            p.run_id AS run_id, p.iteration AS iteration,
            concat('gen_', transform(p.kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], p.kind)) AS role,
            [
                (concat(role, '/format_score'), p.format_score),
                (concat(role, '/num_valid_programs'), toFloat64(p.valid)),
                (concat('azr/', role, '/learnability'), l.learnability / p.proposed)
            ] AS metrics
        FROM (
            SELECT run_id, iteration, kind, count() AS proposed, sum(valid) AS valid, avg(toFloat64(format_ok)) AS format_score
            FROM proposals GROUP BY run_id, iteration, kind
        ) AS p
        LEFT JOIN (
            SELECT iteration, kind, sum(learnability) AS learnability
            FROM learnability_estimated FINAL WHERE run_id = {run:String} GROUP BY iteration, kind
        ) AS l ON l.iteration = p.iteration AND l.kind = p.kind
    ),
    -- Raw values of the intrinsic terms that the run enables, over its valid proposals.
    intrinsics AS (
        SELECT
            run_id, iteration,
            concat('gen_', transform(kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], kind)) AS role,
            [(concat('azr/', role, '/', replaceRegexpOne(measure, '^f_', '')), avg(raw))] AS metrics
        FROM intrinsics_measured FINAL WHERE run_id = {run:String} GROUP BY run_id, iteration, kind, measure
    ),
    -- An attempt that was not judged is none that is right.
    solver AS (
        SELECT
            s.run_id AS run_id, s.iteration AS iteration,
            concat('pred_', transform(s.kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], s.kind)) AS role,
            [
                (concat(role, '/accuracy'), v.correct / s.attempts),
                (concat(role, '/format_score'), s.format_score),
                (concat('azr/', role, '/response_length'), s.response_length)
            ] AS metrics
        FROM (
            SELECT run_id, iteration, kind, count() AS attempts, avg(toFloat64(format_ok)) AS format_score,
                avg(toFloat64(completion_tokens.size0)) AS response_length
            FROM solution_sampled FINAL WHERE run_id = {run:String} AND purpose = 'solve' GROUP BY run_id, iteration, kind
        ) AS s
        LEFT JOIN (
            SELECT iteration, kind, countIf(correct) AS correct
            FROM solution_verified FINAL WHERE run_id = {run:String} AND purpose = 'solve' GROUP BY iteration, kind
        ) AS v ON v.iteration = s.iteration AND v.kind = s.kind
    ),
    learner AS (
        SELECT
            run_id, iteration,
            [
                ('actor/entropy', entropy),
                ('actor/grad_norm', grad_norm),
                ('actor/pg_clipfrac', clip_fraction),
                ('azr/actor/loss', loss),
                ('azr/actor/approx_kl', approx_kl)
            ] AS metrics
        FROM learner_stepped FINAL WHERE run_id = {run:String}
    ),
    evaluation AS (
        SELECT run_id, iteration, [(concat('azr/val/', benchmark, '/', kind), sum(correct) / sum(`count`))] AS metrics
        FROM evaluations WHERE run_id = {run:String} GROUP BY run_id, iteration, benchmark, kind
    )
SELECT run_id, iteration, metric.1 AS name, round(metric.2, 6) AS value
FROM (
    SELECT run_id, iteration, metrics FROM proposer
    UNION ALL SELECT run_id, iteration, metrics FROM intrinsics
    UNION ALL SELECT run_id, iteration, metrics FROM solver
    UNION ALL SELECT run_id, iteration, metrics FROM learner
    UNION ALL SELECT run_id, iteration, metrics FROM evaluation
)
ARRAY JOIN metrics AS metric
ORDER BY run_id, iteration, name
