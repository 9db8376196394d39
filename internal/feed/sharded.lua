-- Says whether messages go by sharded pub/sub on this server. The server that runs a publish and the one that takes a
-- subscription are asked by the same rule, so both sides agree without a word between them.
local function sharded(mode)
  if mode ~= 'auto' then return mode == 'on' end
  return redis.REDIS_VERSION_NUM ~= nil and redis.REDIS_VERSION_NUM >= 458752 -- 0x00070000: Redis 7.0
end
