-- name: wait_as_long_as_it_takes
-- Emptying a large table takes minutes, and so does reading topics; the transaction is an operator's,
-- who can end it.
SELECT set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true);

-- name: lock_positions
-- Blocks batches: each locks its positions first.
LOCK TABLE position IN EXCLUSIVE MODE;

-- name: count_parked_of
-- Items of a topic that are parked. $1 topic
SELECT count(*) FROM parked WHERE topic = $1;
