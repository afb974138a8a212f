-- Returns the unspent part of a block, unless the allowance has gone away meanwhile (billing will offer a fresh one).
-- KEYS allowance   ARGV unspent   -> 1 when returned
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
return 1
