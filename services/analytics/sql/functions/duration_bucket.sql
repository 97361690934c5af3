-- The bucket of a duration of 0 or more: services/analytics/domain/durations.py.
CREATE FUNCTION duration_bucket(duration interval) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    seconds bigint := round(extract(epoch FROM duration));
    doublings integer := width_bucket(seconds, ARRAY[
        128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
        2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912,
        1073741824, 2147483648, 4294967296, 8589934592, 17179869184]::bigint[]);
BEGIN
    RETURN doublings * 64 + (seconds >> doublings);
END
$$;
