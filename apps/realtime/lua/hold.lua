-- Says how many connections of an application a node holds (absolute, so a repeated call changes nothing).
-- KEYS of the application, of the tenant   ARGV node, count   -> the change
local change = tonumber(ARGV[2]) - tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
for each = 1, 2 do
  if redis.call('HINCRBY', KEYS[each], ARGV[1], change) <= 0 then redis.call('HDEL', KEYS[each], ARGV[1]) end
  if redis.call('HINCRBY', KEYS[each], '*', change) <= 0 then redis.call('HDEL', KEYS[each], '*') end
end
return change
