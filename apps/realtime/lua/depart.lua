-- Ends the linger of one departure: it is told, unless somebody is there again or another caller was first.
-- KEYS hooks, linger, the hash that tells who is there   ARGV lingering entry, field of the hash, name, channel, user
-- -> 1 when it was told
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 1 then return 0 end
local entry = {'name', ARGV[3], 'channel', ARGV[4]}
if ARGV[5] ~= '' then entry[5], entry[6] = 'user_id', ARGV[5] end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 100000, '*', unpack(entry))
return 1
