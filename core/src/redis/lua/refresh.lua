-- Gives all keys a new ttl, or none.
--
-- KEYS   the keys of the lock, and then a counter for each, if there is a fence
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] 'keep' to leave a longer remaining time as it is; nothing otherwise
-- ARGV[4] with a fence: for how long a counter outlives its number, in milliseconds, or 'forever'
-- ARGV[5] with a fence: the number that each counter shall have at least
-- Returns 1 if every key holds the value, for the ttl from now or longer; 0 if one does not, and then nothing changed.
local fence = tonumber(ARGV[5])
local keys = fence and #KEYS / 2 or #KEYS
for i = 1, keys do
  local held = redis.pcall('GET', KEYS[i])
  -- A key of another type is somebody else's; any other error says nothing about who holds it.
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  -- The whole value is compared.
  if held ~= ARGV[1] then
    return 0
  end
end
for i = 1, keys do
  -- Not a number for a user who may not ask: then there is no other way than to set the ttl.
  local left = ARGV[3] == 'keep' and redis.pcall('PTTL', KEYS[i])
  if type(left) ~= 'number' or left <= (tonumber(ARGV[2]) or 0) then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
end
for i = keys + 1, #KEYS do
  if (tonumber(redis.call('GET', KEYS[i]) or 0) or 0) < fence then
    if ARGV[4] == 'forever' then
      redis.call('SET', KEYS[i], ARGV[5])
    else
      redis.call('SET', KEYS[i], ARGV[5], 'PXAT', string.format('%.0f', math.floor(fence / 1000) + ARGV[4]))
    end
  end
end
return 1
