-- Sets a key, unless a write with a larger fence came first. For data of applications: locks do not need it.
--
-- KEYS[1] the key
-- KEYS[2] another key, for the largest fence; on a cluster it must be in the same slot
-- ARGV[1] the fence of the lock under which this is written
-- ARGV[2] the value
-- ARGV[3] and ARGV[4]: EX, PX, EXAT or PXAT, as for SET, and the time; or neither
-- Returns 1 if the key is set; 0 if a larger fence came first, and then nothing changed.
local fence = string.match(ARGV[1], '^%d+$') and tonumber(ARGV[1])
if not fence then
  return redis.error_reply('ERR the fence is not a whole number')
end
local option = string.upper(ARGV[3] or 'PX')
-- What SET may leave undone, as with NX, would count as written.
if #ARGV > 4 or not (option == 'EX' or option == 'PX' or option == 'EXAT' or option == 'PXAT') then
  return redis.error_reply('ERR the only options are EX, PX, EXAT and PXAT, with a time')
end
if tonumber(redis.call('GET', KEYS[2]) or 0) > fence then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
redis.call('SET', KEYS[2], ARGV[1])
return 1
