-- Gives all keys a new ttl, or none.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] 'keep' to leave a longer remaining time as it is; nothing otherwise
-- Returns 1 if every key holds the value, for the ttl from now or longer; 0 if one does not, and then nothing changed.
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
  -- Not a number for a user who may not ask: then there is no other way than to set the ttl.
  local left = ARGV[3] == 'keep' and redis.pcall('PTTL', key)
  if type(left) ~= 'number' or left <= (tonumber(ARGV[2]) or 0) then
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return 1
