-- Notes the end of our lease. That is a write even if it was noted already: servers wait for their replicas only behind one.
local function write(ends)
  if call('ZADD', inside, 'CH', ends, me) == 0 then
    call('ZADD', inside, ends + 1, me)
  end
end
-- Keeps the marker at least as long as the last lease, and writes it only if it must, because each write wakes those who wait.
-- The set of those inside never ends before the marker: a marker with nobody inside counts as free.
local function cover()
  local want = call('ZRANGE', inside, -1, -1, 'WITHSCORES')[2] - now
  local left, kept = call('PTTL', key), call('PTTL', inside)
  if math.min(left, kept) < want or left > want + 2 * slack then
    call('SET', key, '~shared', 'PX', want + slack)
    call('PEXPIRE', inside, want + slack)
  end
end
