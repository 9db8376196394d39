-- Sends a message to the program itself, by a server that takes writes: a replica would publish to those who hear it, too.
--
-- KEYS: the channel, which is also the name of a key that is written
-- ARGV: message, sharded (auto, on or off)
redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)
return redis.call(sharded(ARGV[2]) and 'SPUBLISH' or 'PUBLISH', KEYS[1], ARGV[1])
