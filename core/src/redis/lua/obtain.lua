-- Obtains all keys, or none.
--
-- KEYS   the keys of the lock, and then a counter for each, if a fence is wanted
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] nothing without a fence; else for how long a counter outlives its number, in milliseconds, or 'forever'
-- Returns 1, or the fence, if every key holds the value now, for at least the ttl; 0 if a key holds anything else, and then
-- nothing changed.
--
-- A key that holds this very value is ours already: an obtain whose answer was lost may be sent again, and so may one of
-- another lock with the same token. That one may count on a longer ttl, so that a remaining time is never shortened.
local keep = ARGV[3]
local keys = keep and #KEYS / 2 or #KEYS
local longer = {}
for i = 1, keys do
  local key = KEYS[i]
  local held = redis.pcall('GET', key)
  -- A missing key is `false`. A key of another type is somebody else's; any other error, such as that of a user who
  -- may not read, says nothing about who holds it.
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  if held and held ~= ARGV[1] then
    return 0
  end
  if held then
    -- Not a number for a user who may not ask: then there is no other way than to set the ttl.
    local left = redis.pcall('PTTL', key)
    longer[key] = type(left) == 'number' and left > (tonumber(ARGV[2]) or 0)
  end
end
local fence = 1
if keep then
  -- The time in microseconds, or one more than the last number: whichever is larger. A counter can expire only when the
  -- clock is past its number, so that the next one is larger, too.
  local time = redis.call('TIME')
  fence = time[1] * 1000000 + time[2]
  for i = keys + 1, #KEYS do
    local last = redis.pcall('GET', KEYS[i])
    if type(last) == 'table' and not string.find(last.err, 'WRONGTYPE', 1, true) then
      return last
    end
    local number = type(last) == 'string' and tonumber(last)
    if last and not number then
      return redis.error_reply('ERR the counter of a fence holds something else')
    end
    fence = math.max(fence, (number or 0) + 1)
  end
  -- Whole, since Lua shortens large numbers.
  local number = string.format('%.0f', fence)
  for i = keys + 1, #KEYS do
    if keep == 'forever' then
      redis.call('SET', KEYS[i], number)
    else
      redis.call('SET', KEYS[i], number, 'PXAT', string.format('%.0f', math.floor(fence / 1000) + keep))
    end
  end
end
for i = 1, keys do
  if not longer[KEYS[i]] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
  end
end
return fence
