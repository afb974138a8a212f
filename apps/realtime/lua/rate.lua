-- An application's token bucket, which holds one second's worth at most.
-- KEYS bucket   ARGV rate (tokens a second), wanted, how   -> {taken, left}
-- how: 'some' takes what there is, 'all' that or nothing, 'anyway' all of it, and whoever comes next waits for longer.
local rate, wanted, how = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = rate
if kept[1] then left = math.min(rate, kept[1] + math.max(0, now - kept[2]) * rate / 1000) end
local taken = wanted
if how ~= 'anyway' then taken = math.max(0, math.min(math.floor(left), wanted)) end
if how == 'all' and taken < wanted then taken = 0 end
left = left - taken
redis.call('HSET', KEYS[1], 'left', left, 'at', now)
local until_full = 0
if rate > 0 then until_full = math.ceil((rate - left) / rate * 1000) end
redis.call('PEXPIRE', KEYS[1], 1000 + math.max(1000, until_full))
return {taken, math.floor(left)}
