-- name: save_unmapped
-- Count scans with codes that no code map has. A code that is new while the table is full is left
-- out. $1 sets, $2 names, $3 codes, $4 counts, $5 tracking numbers, $6 texts or nulls (pairwise, each
-- code once), $7 business time, $8 most rows
INSERT INTO unmapped_code AS held
       (code_set, name, code, scans, first_seen, last_seen, sample_number, sample_text)
SELECT code_set, name, code, scans, $7::timestamptz, $7::timestamptz, sample_number, sample_text
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
       AS seen(code_set, name, code, scans, sample_number, sample_text)
 WHERE (SELECT count(*) FROM unmapped_code) < $8::bigint
    OR EXISTS (
       SELECT FROM unmapped_code AS known
        WHERE known.code_set = seen.code_set AND known.name = seen.name AND known.code = seen.code)
 ORDER BY code_set, name, code
    ON CONFLICT (code_set, name, code) DO UPDATE
   SET scans = held.scans + excluded.scans,
       first_seen = least(held.first_seen, excluded.first_seen),
       last_seen = greatest(held.last_seen, excluded.last_seen),
       sample_number = excluded.sample_number,
       sample_text = coalesce(excluded.sample_text, held.sample_text);

-- name: find_unmapped
-- The codes that no code map had, those with most scans first. $1 set or null for all, $2 at most
SELECT code_set, name, code, scans, first_seen, last_seen, sample_number, sample_text
  FROM unmapped_code
 WHERE $1::text IS NULL OR code_set = $1::text
 ORDER BY scans DESC, code_set, name, code
 LIMIT $2;

-- name: delete_unmapped
-- Forget codes. $1 sets, $2 names, $3 codes (pairwise)
DELETE FROM unmapped_code
 USING unnest($1::text[], $2::text[], $3::text[]) AS known(code_set, name, code)
 WHERE unmapped_code.code_set = known.code_set AND unmapped_code.name = known.name
   AND unmapped_code.code = known.code;
