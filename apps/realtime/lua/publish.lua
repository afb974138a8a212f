-- Appends a publication to its channel's log and tells the gateways, in one step.
-- KEYS meta, log, cached, once
-- ARGV body, keep, log_ttl, meta_ttl, fresh_epoch, topic, once_ttl (0 = not idempotent), cache_ttl (0 = not cached)
-- -> {position, repeated (0 or 1), receivers}
local meta, log, cached, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local once_ttl, cache_ttl = tonumber(ARGV[7]), tonumber(ARGV[8])
if once_ttl > 0 then
  local done = redis.call('GET', once)
  if done then return {done, 1, 0} end -- the position of the first attempt; nothing is sent again
end
redis.call('HSETNX', meta, 'e', ARGV[5])
local offset = redis.call('HINCRBY', meta, 'o', 1)
if offset == 1 then redis.call('DEL', log) end -- a new epoch: what a lost meta left behind is void
local position = redis.call('HGET', meta, 'e') .. ':' .. offset
redis.call('XADD', log, 'MAXLEN', '=', ARGV[2], offset .. '-0', 'b', ARGV[1])
redis.call('EXPIRE', log, ARGV[3])
redis.call('EXPIRE', meta, ARGV[4])
if cache_ttl > 0 then redis.call('SET', cached, ARGV[1], 'EX', cache_ttl) end
if once_ttl > 0 then redis.call('SET', once, position, 'EX', once_ttl) end
return {position, 0, redis.call('PUBLISH', ARGV[6], position .. ' ' .. ARGV[1])}
