-- Takes a block out of an application's token bucket, which holds one second's worth at most.
-- KEYS bucket   ARGV rate (tokens a second), wanted   -> how many were taken
local rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = rate
if kept[1] then left = math.min(rate, kept[1] + math.max(0, now - kept[2]) * rate / 1000) end
local taken = math.min(math.floor(left), wanted)
redis.call('HSET', KEYS[1], 'left', left - taken, 'at', now)
redis.call('PEXPIRE', KEYS[1], 2000)
return taken
