-- name: wait_briefly
-- How long the transaction may wait for a lock: readers and writers of the partition queue behind it
-- for as long. $1 duration such as 50ms
SELECT set_config('lock_timeout', $1, true);

-- name: lock_partition
-- Keep other sessions from the partition until the end of the transaction. {segment} is its table
LOCK TABLE ONLY {segment} IN ACCESS EXCLUSIVE MODE;

-- name: truncate_partition
-- Replace the files of the partition by empty ones, without waiting for older snapshots that keep
-- deleted rows. {segment} is its table
TRUNCATE ONLY {segment};
