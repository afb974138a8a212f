-- Where a channel's log stands, and what it holds.
-- KEYS meta, log, cached
-- ARGV fresh_epoch ('' = do not begin a log), meta_ttl, idle_ttl (of a log without publications), from, to, limit
--      from, to: offsets, both read; from '' = read nothing; from > to reads backwards; to '' = the end
-- -> {epoch ('' = no log yet), top offset, id of the newest publication ('' = unknown), entries, cached (or '')}
if ARGV[1] ~= '' then redis.call('HSETNX', KEYS[1], 'e', ARGV[1]) end
local state = redis.call('HMGET', KEYS[1], 'e', 'o')
local cached = redis.call('GET', KEYS[3]) or ''
if not state[1] then return {'', 0, '', {}, cached} end
redis.call('EXPIRE', KEYS[1], state[2] and ARGV[2] or ARGV[3])
local top, newest, entries = tonumber(state[2] or '0'), '', {}
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last and last[1] == top .. '-0' then newest = string.match(last[2][2], '^%S+') end
if ARGV[4] ~= '' then
  local from, to = ARGV[4] .. '-0', ARGV[5] == '' and '+' or ARGV[5] .. '-0'
  local command = to ~= '+' and tonumber(ARGV[4]) > tonumber(ARGV[5]) and 'XREVRANGE' or 'XRANGE'
  entries = redis.call(command, KEYS[2], from, to, 'COUNT', ARGV[6])
end
return {state[1], top, newest, entries, cached}
