-- How do the metrics of {run} move, by iteration, under their published names (or azr/... where the published name means something else)?
WITH
    -- Proposals: valid or not, well-formed or not, and what they are worth (nothing where they are not valid).
    proposals AS (
        SELECT run_id, iteration, kind, proposal_id, 1 AS valid, format_ok FROM task_accepted FINAL WHERE run_id = {run:String} AND origin = 'proposal'
        UNION ALL
        SELECT run_id, iteration, kind, proposal_id, 0 AS valid, format_ok FROM task_rejected FINAL WHERE run_id = {run:String} AND origin = 'proposal'
    ),
    proposer AS (
        SELECT
            p.run_id AS run_id, p.iteration AS iteration,
            concat('gen_', transform(p.kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], p.kind)) AS role,
            [
                (concat(role, '/format_score'), avg(toFloat64(p.format_ok))),
                (concat(role, '/num_valid_programs'), toFloat64(sum(p.valid))),
                (concat('azr/', role, '/learnability'), sum(l.learnability) / count())
            ] AS metrics
        FROM proposals AS p
        LEFT JOIN (SELECT iteration, proposal_id, learnability FROM learnability_estimated FINAL WHERE run_id = {run:String}) AS l
            ON l.iteration = p.iteration AND l.proposal_id = assumeNotNull(p.proposal_id)
        GROUP BY p.run_id, p.iteration, p.kind
    ),
    -- Raw values of the intrinsic terms that the run enables, over its valid proposals.
    intrinsics AS (
        SELECT
            run_id, iteration,
            concat('gen_', transform(kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], kind)) AS role,
            [(concat('azr/', role, '/', replaceRegexpOne(measure, '^f_', '')), avg(raw))] AS metrics
        FROM intrinsics_measured FINAL GROUP BY run_id, iteration, kind, measure
    ),
    solver AS (
        SELECT
            run_id, iteration,
            concat('pred_', transform(kind, ['abduction', 'deduction', 'induction', 'error'], ['code_i', 'code_o', 'code_f', 'code_e'], kind)) AS role,
            [
                (concat(role, '/accuracy'), avg(toFloat64(correct))),
                (concat(role, '/format_score'), avg(toFloat64(format_ok))),
                (concat('azr/', role, '/response_length'), avg(toFloat64(completion_tokens)))
            ] AS metrics
        FROM solutions WHERE run_id = {run:String} AND purpose = 'solve' GROUP BY run_id, iteration, kind
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
