-- Deletes those keys that are ours.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- Returns how many keys held the value, and are gone now. The others are left alone.
local released = 0
for _, key in ipairs(KEYS) do
  -- A key of another type gives an error, which is a table and so never equal; the rest must still be released.
  if redis.pcall('GET', key) == ARGV[1] then
    released = released + redis.call('DEL', key)
  end
end
return released
