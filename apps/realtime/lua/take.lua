-- Takes a block out of a tenant's allowance, never below zero, and out of its application's own, if it has one.
-- KEYS allowance application's   ARGV wanted   -> how many were taken; -1 when nobody has said how many there are
local left = redis.call('GET', KEYS[1])
if not left then return -1 end
local bound = redis.call('GET', KEYS[2])
local taken = math.min(math.max(tonumber(left), 0), tonumber(ARGV[1]))
if bound then taken = math.min(taken, math.max(tonumber(bound), 0)) end
if taken > 0 then
    redis.call('DECRBY', KEYS[1], taken)
    if bound then redis.call('DECRBY', KEYS[2], taken) end
end
return taken
