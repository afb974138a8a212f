-- A node's last connection of a user left a presence channel. Only one caller per pair ever gets past the HDEL.
-- KEYS own, cnt, info, seq, hooks, linger   ARGV node, user, topic, message, channel, linger in ms (0 = no webhooks)
-- -> 1 last in the cluster, else 0
if redis.call('HDEL', KEYS[1], ARGV[1] .. '|' .. ARGV[2]) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], ARGV[2], -1) > 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('INCR', KEYS[4]) -- read back as text: Lua would write so large a number with an exponent
redis.call('PUBLISH', ARGV[3], '#' .. redis.call('GET', KEYS[4]) .. ' ' .. ARGV[4])
if tonumber(ARGV[6]) > 0 then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[6], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[6], 'member ' .. ARGV[5] .. ' ' .. ARGV[2])
end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', KEYS[4]) end -- nobody is left who compares
return 1
