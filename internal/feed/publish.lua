-- Publishes one event to its tenant's watchers, once.
--
-- KEYS: the stream, the event's mark, the stream's tail, its bytes (all in the tenant's hash slot)
-- ARGV: channel, event id for the tail, payload, life of mark and stream in ms, length of the ring, sharded (auto, on or
-- off), bytes of the ring
--
-- Returns {1, id} for a new event and {0, id} for one that was published before. The ids come from this server's clock
-- and never go back, even when the stream itself has expired: the tail outlives it.
local known = redis.call('GET', KEYS[2])
if known then return { 0, known } end

local prev = '0-0'
local tail = redis.call('GET', KEYS[3])
if tail then
  prev = string.match(tail, '^[%d-]+')
else
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  if newest[1] then prev = newest[1][1] end
  tail = prev
end

local ms, seq = string.match(prev, '^(%d+)-(%d+)$')
ms, seq = tonumber(ms), tonumber(seq)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if now > ms then ms, seq = now, 0 else seq = seq + 1 end
local id = string.format('%.0f-%.0f', ms, seq)

-- b is the total size of all payloads of the stream up to this entry, in bytes. The difference of two entries is the size between them.
local bytes = redis.call('INCRBY', KEYS[4], #ARGV[3])
redis.call('PEXPIRE', KEYS[4], 2592000000) -- outlives the stream, as the tail does
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], id, 'p', tail, 'd', ARGV[3], 'b', bytes)
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', now - tonumber(ARGV[4])))
redis.call('PEXPIRE', KEYS[1], ARGV[4])

-- The oldest entries go until the ring fits its bytes. A stream grows by one payload at a time, so few have to go; the
-- limit is for a ring that was made with another budget. The newest entry always stays.
for _ = 1, 200 do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  local upto, size = 0, 0
  for i = 1, #oldest[2], 2 do
    if oldest[2][i] == 'b' then upto = tonumber(oldest[2][i + 1]) end
    if oldest[2][i] == 'd' then size = #oldest[2][i + 1] end
  end
  if oldest[1] == id or bytes - upto + size <= tonumber(ARGV[7]) then break end
  redis.call('XDEL', KEYS[1], oldest[1])
end

redis.call('SET', KEYS[2], id, 'PX', ARGV[4])
redis.call('SET', KEYS[3], id .. ' ' .. ARGV[2], 'PX', 2592000000) -- 30 days: see the package comment

redis.call(sharded(ARGV[6]) and 'SPUBLISH' or 'PUBLISH', ARGV[1], prev .. ' ' .. id .. ' ' .. ARGV[3])
return { 1, id }
