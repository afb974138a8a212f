-- Who of some users of one partition is online.
-- KEYS cnt, seq   ARGV users   -> {number of the last change that is in it, nodes of each user (false = offline)}
return {redis.call('GET', KEYS[2]) or '0', redis.call('HMGET', KEYS[1], unpack(ARGV))}
