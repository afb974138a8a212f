-- A node's first signed-in connection of a user. Retry-safe: a pair counts once.
-- KEYS own, cnt, seq   ARGV node, user, topic, message, seconds that seq outlives its last change
-- -> 1 the user came online, 0 was online already
if redis.call('HSETNX', KEYS[1], ARGV[1] .. '|' .. ARGV[2], 1) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], ARGV[2], 1) > 1 then return 0 end
if redis.call('EXISTS', KEYS[3]) == 0 then -- by the clock, so that it goes on growing after a wipe
  local now = redis.call('TIME')
  redis.call('SET', KEYS[3], now[1] .. string.format('%06d', tonumber(now[2])))
end
redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[3], '#' .. redis.call('GET', KEYS[3]) .. ' ' .. ARGV[4])
return 1
