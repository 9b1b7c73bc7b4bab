-- Gives a lock that shares a key a new ttl.
--
-- KEYS[1] the key of the lock
-- KEYS[2] in: who shares the key, by the end of each one's lease
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] 'keep' to leave a longer remaining time as it is; nothing otherwise
-- Returns 1 if the lock shares the key for the ttl from now, or longer; 0 if it does not, and then nothing changed.
local keep = ARGV[3] == 'keep'
if held == me then
  -- It has become the only holder, by a request whose reply was lost.
  if not keep or call('PTTL', key) < ttl then
    call('PEXPIRE', key, ttl)
  end
  return 1
end
local ends = tonumber(held == '~shared' and call('ZSCORE', inside, me) or 0)
if ends <= now then
  return 0
end
write(keep and math.max(ends, now + ttl) or now + ttl)
cover()
return 1
