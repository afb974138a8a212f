-- Takes a block out of a tenant's allowance, never below zero.
-- KEYS allowance   ARGV wanted   -> how many were taken; -1 when nobody has said how many there are
local left = redis.call('GET', KEYS[1])
if not left then return -1 end
local taken = math.min(math.max(tonumber(left), 0), tonumber(ARGV[1]))
if taken > 0 then redis.call('DECRBY', KEYS[1], taken) end
return taken
