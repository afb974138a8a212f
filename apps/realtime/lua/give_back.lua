-- Returns the unspent part of a block, unless the allowance has gone away meanwhile (billing will offer a fresh one).
-- KEYS allowance application's   ARGV unspent   -> how many of the two took it back
local returned = 0
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        redis.call('INCRBY', key, ARGV[1])
        returned = returned + 1
    end
end
return returned
