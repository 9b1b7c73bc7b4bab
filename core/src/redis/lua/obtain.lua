-- Obtains all keys, or none.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- Returns 1 if every key holds the value now, for at least the ttl; 0 if a key holds anything else, and then nothing
-- changed.
--
-- A key that holds this very value is ours already: an obtain whose answer was lost may be sent again, and so may one of
-- another lock with the same token. That one may count on a longer ttl, so that a remaining time is never shortened.
local longer = {}
for _, key in ipairs(KEYS) do
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
for _, key in ipairs(KEYS) do
  if not longer[key] then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
  end
end
return 1
