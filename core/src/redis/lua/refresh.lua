-- Gives all keys a new ttl, or none.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- Returns 1 if every key holds the value, for the ttl from now; 0 if one does not, and then nothing changed.
for _, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  -- A key of another type is somebody else's; any other error says nothing about who holds it.
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  -- The whole value is compared.
  if held ~= ARGV[1] then
    return 0
  end
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[2])
end
return 1
