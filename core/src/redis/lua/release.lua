-- Deletes those keys that are ours.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- Returns how many keys held the value, and are gone now. The others are left alone.
local released = 0
for _, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  -- A key of another type is somebody else's, and the rest must still be released; any other error, such as that of a
  -- user who may not read, is the same for all keys and says nothing about who holds them.
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  if held == ARGV[1] then
    released = released + redis.call('DEL', key)
  end
end
return released
