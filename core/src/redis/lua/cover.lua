-- Notes the end of our lease. That is a write even if it was noted already: servers wait for their replicas only behind one.
local function write(ends)
  local changed = redis.pcall('ZADD', inside, 'CH', ends, me)
  if type(changed) == 'table' then
    -- A server whose memory is full refuses that, unless the script has written before: this counts, and removes nothing.
    call('ZREM', inside, '')
    changed = call('ZADD', inside, 'CH', ends, me)
  end
  if changed == 0 then
    call('ZADD', inside, ends + 1, me)
  end
end
-- Keeps the marker at least as long as the last lease, and writes it only if it must, because each write wakes those who wait.
-- The set of those inside never ends before the marker: a marker with nobody inside counts as free.
-- With a lease, that one is added. All other commands come first: a user who lacks the right to one of them would leave a set
-- without an end.
local function cover(ends)
  local want = math.max(call('ZRANGE', inside, -1, -1, 'WITHSCORES')[2] or 0, ends or 0) - now
  local left, kept = call('PTTL', key), call('PTTL', inside)
  local short = math.min(left, kept) < want or left > want + 2 * slack
  local exists = short and call('PEXPIRE', inside, want + slack)
  if short then
    call('SET', key, '~shared', 'PX', want + slack)
  end
  if ends then
    write(ends)
    if exists == 0 then
      call('PEXPIRE', inside, want + slack)
    end
  end
end
