-- Notes that a cache channel had nothing to replay; many who subscribe at the same time are one miss.
-- KEYS hooks, missed   ARGV channel, seconds   -> 1 when it was noted
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 100000, '*', 'name', 'cache_miss', 'channel', ARGV[1])
return 1
