-- Deletes those keys that are ours.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- Returns how many keys held the value, and are gone now. The others are left alone.
local released = 0
for _, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  -- Another type is somebody else's. Any other error, such as a lack of permission, is the caller's to know.
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  -- The whole value is compared; what is not ours does not keep the rest from being released.
  if held == ARGV[1] then
    released = released + redis.call('DEL', key)
  end
end
return released
