-- Writes of what visitors see and click. Each statement takes a whole batch.

-- name: count_activities
-- Remember what is counted, and count what was not remembered. What another transaction remembers at
-- the same time is waited for and counts there.
-- $1 uuids of marks, $2 digests of marks (pairwise), $3 shops, $4 campaigns ('': none), $5 widgets,
-- $6 seen on, $7 impressions, $8 clicks, $9 sessions: 0 or 1 each
WITH sent AS (
    SELECT *
      FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::date[],
                  $7::integer[], $8::integer[], $9::integer[])
           AS sent (owner, digest, shop, campaign_id, widget, seen_on, impressions, clicks,
                    sessions)
), fresh AS (
    INSERT INTO older_item (owner, digest)
    SELECT owner, digest FROM sent ORDER BY owner, digest
        ON CONFLICT DO NOTHING
    RETURNING owner, digest
)
INSERT INTO campaign_activity AS kept
       (shop, campaign_id, widget, seen_on, stripe, impressions, clicks, sessions)
SELECT shop, campaign_id, widget, seen_on, (SELECT counter_stripe()),
       sum(impressions), sum(clicks), sum(sessions)
  FROM sent
  JOIN fresh USING (owner, digest)
 GROUP BY shop, campaign_id, widget, seen_on
    ON CONFLICT (shop, campaign_id, widget, seen_on, stripe) DO UPDATE
   SET impressions = kept.impressions + excluded.impressions,
       clicks = kept.clicks + excluded.clicks,
       sessions = kept.sessions + excluded.sessions;

-- name: save_visits
-- Keep visits, each with its first day, in the order of their keys.
-- $1 sessions as uuids, $2 order ids, $3 shops, $4 seen on
INSERT INTO page_visit AS kept (session, order_id, shop, seen_on)
SELECT session, order_id, shop, seen_on
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[])
       AS fresh (session, order_id, shop, seen_on)
 ORDER BY session, order_id
    ON CONFLICT (session, order_id) DO UPDATE
   SET seen_on = excluded.seen_on
 WHERE excluded.seen_on < kept.seen_on;
