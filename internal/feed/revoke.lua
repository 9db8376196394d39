-- Revokes tokens: stores the revocation until it expires, and announces it to all programs.
--
-- KEYS: the list of revocations
-- ARGV: channel, revocation, when it is over in ms since 1970, sharded (auto, on or off)
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', tonumber(time[1]) * 1000))
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2])))
redis.call(sharded(ARGV[4]) and 'SPUBLISH' or 'PUBLISH', ARGV[1], ARGV[2])
return 1
