-- Where a channel's log stands, and optionally what follows an offset.
-- KEYS meta, log   ARGV fresh_epoch, meta_ttl, since (-1 = nothing), limit   -> {epoch, top offset, entries}
redis.call('HSETNX', KEYS[1], 'e', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'e', 'o')
local since, entries = tonumber(ARGV[3]), {}
if since >= 0 then
  entries = redis.call('XRANGE', KEYS[2], since .. '-0', '+', 'COUNT', ARGV[4])
end
return {state[1], tonumber(state[2] or '0'), entries}
