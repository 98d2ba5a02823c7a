SELECT max(evaluated_at) AS latest FROM evaluations
