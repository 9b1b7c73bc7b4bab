-- Ends a lock, and its wait: whether it has the key alone, shares it, or stands in the queue.
--
-- KEYS[1] the key of the lock, and then its companions
-- KEYS[2] in: who shares the key, by the end of each one's lease
-- KEYS[3] exclusive: those who wait to have it alone, by their turn
-- KEYS[4] shared: those who wait to share it, by their turn
-- KEYS[5] alive: until when each of those who wait counts
-- KEYS[6] the bell of this lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] how many may share the key; 0: any number
-- Returns 1 if the lock held the key, and does not any more; 0 if it did not hold it.
local done = 0
if held == me then
  done = call('DEL', key)
elseif held == '~shared' and call('ZREM', inside, me) == 1 then
  done = 1
  local want = (call('ZRANGE', inside, -1, -1, 'WITHSCORES')[2] or now) - now
  if want <= 0 then
    call('DEL', key, inside)
  elseif call('PTTL', key) > want + 2 * slack or tonumber(ARGV[3]) > 0 and call('EXISTS', shared) == 1 then
    -- The marker is also written to wake the first of those who wait.
    call('PEXPIRE', key, want + slack)
    call('PEXPIRE', inside, want + slack)
  end
end
if call('ZREM', exclusive, me) + call('ZREM', shared, me) > 0 then
  call('HDEL', alive, me)
  call('SET', bell, '')
  call('DEL', bell)
end
return done
