-- Sets how many connections a node has on a channel; keeps the channel's total and the list of occupied channels.
-- KEYS occupancy, occupied   ARGV node, channel, count   -> the total after it
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local count = tonumber(ARGV[3])
if count > 0 then redis.call('HSET', KEYS[1], ARGV[1], count) else redis.call('HDEL', KEYS[1], ARGV[1]) end
local total = redis.call('HINCRBY', KEYS[2], ARGV[2], count - before)
if total <= 0 then redis.call('HDEL', KEYS[2], ARGV[2]) end
return total
