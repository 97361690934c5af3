-- name: measure_figures
-- Numbers of facts, and of them parcels that are overdue: not delivered, and promised from $1 up to
-- the day before $2 (YYYY-MM-DD). $1 and $2 bound what is read of past days.
SELECT figure, value, detail, sum(facts)::bigint AS facts
  FROM fact_count
 WHERE figure IN ('order', 'parcel', 'delivery', 'claim')
 GROUP BY figure, value, detail
 UNION ALL
SELECT 'overdue', '', '', coalesce(sum(facts), 0)::bigint
  FROM fact_count
 WHERE figure = 'undelivered' AND value >= $1 AND value < $2;
