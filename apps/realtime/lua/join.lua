-- A node's first connection of a user on a presence channel. Retry-safe: a pair counts once.
-- KEYS own, cnt, info, seq, hooks, linger   ARGV node, user, user_info, cap, topic, message, channel, hooked (0 or 1)
-- -> {1 first in the cluster | 0 already there | -1 full, sequence, {user, user_info, …}}
local known = redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1
local cap = tonumber(ARGV[4])
if not known and cap > 0 and redis.call('HLEN', KEYS[2]) >= cap then return {-1, 0, {}} end
local first = 0
if redis.call('HSETNX', KEYS[1], ARGV[1] .. '|' .. ARGV[2], 1) == 1 then
  if redis.call('HINCRBY', KEYS[2], ARGV[2], 1) == 1 then first = 1 end
end
if first == 1 then
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
  if redis.call('EXISTS', KEYS[4]) == 0 then -- by the clock, so that it goes on growing after a wipe
    local now = redis.call('TIME')
    redis.call('SET', KEYS[4], now[1] .. string.format('%06d', tonumber(now[2])))
  end
  redis.call('INCR', KEYS[4])
  redis.call('PUBLISH', ARGV[5], '#' .. redis.call('GET', KEYS[4]) .. ' ' .. ARGV[6])
  -- Whoever comes back within the linger was never away, as far as webhooks are concerned.
  if ARGV[8] == '1' and redis.call('ZREM', KEYS[6], 'member ' .. ARGV[7] .. ' ' .. ARGV[2]) == 0 then
    redis.call('XADD', KEYS[5], 'MAXLEN', '~', 100000, '*', 'name', 'member_added', 'channel', ARGV[7], 'user_id', ARGV[2])
  end
end
return {first, tonumber(redis.call('GET', KEYS[4]) or '0'), redis.call('HGETALL', KEYS[3])}
