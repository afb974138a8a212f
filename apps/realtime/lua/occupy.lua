-- Sets how many connections a node has on a channel; keeps the channel's total and the list of occupied channels.
-- KEYS occupancy, occupied, hooks, linger   ARGV node, channel, count, linger in ms (0 = no webhooks)
-- -> the total after it
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local count = tonumber(ARGV[3])
if count > 0 then redis.call('HSET', KEYS[1], ARGV[1], count) else redis.call('HDEL', KEYS[1], ARGV[1]) end
local total = redis.call('HINCRBY', KEYS[2], ARGV[2], count - before)
if total <= 0 then redis.call('HDEL', KEYS[2], ARGV[2]) end
if tonumber(ARGV[4]) > 0 then
  local past, gone = total - (count - before), 'occupancy ' .. ARGV[2]
  if past <= 0 and total > 0 and redis.call('ZREM', KEYS[4], gone) == 0 then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'name', 'channel_occupied', 'channel', ARGV[2])
  elseif past > 0 and total <= 0 then
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[4], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4], gone)
  end
end
return total
