-- Sets a key, unless a write with a larger fence came first. For data of applications: locks do not need it.
--
-- KEYS[1] the key
-- KEYS[2] another key, for the largest fence; on a cluster it must be in the same slot
-- ARGV[1] the fence of the lock under which this is written
-- ARGV[2] the value
-- ARGV[3] and following: options of SET, such as PX and a time
-- Returns 1 if the key is set; 0 if a larger fence came first, and then nothing changed.
local fence = string.match(ARGV[1], '^%d+$') and tonumber(ARGV[1])
if not fence then
  return redis.error_reply('ERR the fence is not a whole number')
end
if tonumber(redis.call('GET', KEYS[2]) or 0) > fence then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
redis.call('SET', KEYS[2], ARGV[1])
return 1
