-- Sends a message to the program itself, through a server that accepts writes. A replica would publish to its subscribers too.
--
-- KEYS: the channel, which is also the name of a key that is written
-- ARGV: message, sharded (auto, on or off)
redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)
return redis.call(sharded(ARGV[2]) and 'SPUBLISH' or 'PUBLISH', KEYS[1], ARGV[1])
