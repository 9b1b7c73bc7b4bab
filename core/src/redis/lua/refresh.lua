-- Gives all keys a new ttl, or none.
--
-- KEYS   the keys of the lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- Returns 1 if every key holds the value, for the ttl from now; 0 if one does not, and then nothing changed.
for _, key in ipairs(KEYS) do
  -- The whole value is compared. A key of another type gives an error, which is a table and so never equal.
  if redis.pcall('GET', key) ~= ARGV[1] then
    return 0
  end
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[2])
end
return 1
