-- A stripe of the counters that no other transaction writes in until this one ends. Counters are
-- kept in stripes and summed when they are read: transactions that count for the same shop and day
-- neither wait for each other nor deadlock. The first free one is taken, so that there are as many
-- rows of a counter as there are transactions at one time. The number is that of
-- lock_class("analytics/counter").
CREATE FUNCTION counter_stripe() RETURNS smallint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    FOR stripe IN 0..62 LOOP
        IF pg_try_advisory_xact_lock(1204848918, stripe) THEN
            RETURN stripe;
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock(1204848918, 63);
    RETURN 63;
END
$$;
