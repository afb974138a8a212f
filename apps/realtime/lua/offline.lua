-- A node's last signed-in connection of a user ended. Only one caller per pair ever gets past the HDEL.
-- KEYS own, cnt, seq   ARGV node, user, topic, message, seconds that seq outlives its last change
-- -> 1 the user went offline, else 0
if redis.call('HDEL', KEYS[1], ARGV[1] .. '|' .. ARGV[2]) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], ARGV[2], -1) > 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 0 then
  local now = redis.call('TIME')
  redis.call('SET', KEYS[3], now[1] .. string.format('%06d', tonumber(now[2])))
end
redis.call('INCR', KEYS[3]) -- read back as text: Lua would write so large a number with an exponent
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[3], '#' .. redis.call('GET', KEYS[3]) .. ' ' .. ARGV[4])
return 1
