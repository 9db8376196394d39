-- Reports whether messages use sharded pub/sub on this server. The server of a publish and the server of a subscription are asked
-- with the same rule, so both sides agree.
local function sharded(mode)
  if mode ~= 'auto' then return mode == 'on' end
  return redis.REDIS_VERSION_NUM ~= nil and redis.REDIS_VERSION_NUM >= 458752 -- 0x00070000: Redis 7.0
end
