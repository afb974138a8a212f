-- Announces an event that no log keeps, and notes it for the application's webhooks, in one step.
-- KEYS hooks   ARGV topic, message, then names and values of what is noted
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 100000, '*', unpack(ARGV, 3))
return redis.call('PUBLISH', ARGV[1], ARGV[2])
