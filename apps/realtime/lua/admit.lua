-- Reserves one connection against the application's limit and the tenant's cap.
-- KEYS of the application, of the tenant, cap of the tenant, cap of the application by its limits   ARGV node, application cap (0 = none)
-- -> 1 admitted, -1 the application is full, -2 a limit of the period is reached
local cap, tenant_cap = tonumber(ARGV[2]), redis.call('GET', KEYS[3])
local own_cap = redis.call('GET', KEYS[4])
if own_cap and tonumber(redis.call('HGET', KEYS[1], '*') or '0') >= tonumber(own_cap) then return -2 end
if cap > 0 and tonumber(redis.call('HGET', KEYS[1], '*') or '0') >= cap then return -1 end
if tenant_cap and tonumber(redis.call('HGET', KEYS[2], '*') or '0') >= tonumber(tenant_cap) then return -2 end
for each = 1, 2 do
  redis.call('HINCRBY', KEYS[each], ARGV[1], 1)
  redis.call('HINCRBY', KEYS[each], '*', 1)
end
return 1
