-- Obtains a key alone, if nobody shares it and nobody has waited for longer.
--
-- KEYS[1] the key of the lock, and then its companions
-- KEYS[2] in: who shares the key, by the end of each one's lease
-- KEYS[3] exclusive: those who wait to have it alone, by their turn
-- KEYS[4] shared: those who wait to share it, by their turn
-- KEYS[5] alive: until when each of those who wait counts
-- KEYS[6] the bell of this lock
-- KEYS[7] the counter of the fence, if one is wanted
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] for how long the lock waits in the queue if it is denied, in milliseconds; 0: not at all
-- ARGV[4] for how long it has waited, in microseconds
-- ARGV[5] not empty if a lock that shares the key is to become its only holder
-- ARGV[6] with a fence: for how long the counter outlives its number, in milliseconds, or 'forever'
-- Returns 1, or the fence, if the key holds the value now, for at least the ttl. Otherwise an array: who is in the way (0 who
-- has the key alone, -1 those who share it, -2 one who waits), for how many milliseconds (-1: for ever), and the first eight
-- bytes of the value of that one who waits.
local change = ARGV[5] ~= ''
local ours = held == me
local by, left, mine = 0, 0, ours
if held == '~shared' then
  call('ZREMRANGEBYSCORE', inside, '-inf', now)
  local last = call('ZRANGE', inside, -1, -1, 'WITHSCORES')
  mine = change and last[1] == me and call('ZCARD', inside) == 1
  -- With nobody inside any more, the key is free.
  by, left, held = -1, (last[2] or now) - now, last[1]
end
if not mine then
  if change then
    -- Those who share the key are in the way of one of them. Anybody else is not a holder any more.
    local inside_too = by ~= 0 and call('ZSCORE', inside, me)
    return {inside_too and by or 0, left, ''}
  end
  turn = call('ZSCORE', exclusive, me) or string.format('%.0f', us - waited)
  local one, ends = ahead(exclusive)
  -- Once the key is free, those who wait to share it and came before go first.
  if not one and not held then
    one, ends = ahead(shared)
  end
  if one then
    return denied(exclusive, -2, ends, one)
  end
  if held then
    return denied(exclusive, by, by == 0 and call('PTTL', key) or left)
  end
end
local fence = 1
if KEYS[7] then
  local last = redis.pcall('GET', KEYS[7])
  if type(last) == 'table' and not string.find(last.err, 'WRONGTYPE', 1, true) then
    return last
  end
  local number = type(last) == 'string' and tonumber(last)
  if last and not number then
    return redis.error_reply('ERR the counter of a fence holds something else')
  end
  fence = math.max(us, (number or 0) + 1)
  local digits = string.format('%.0f', fence)
  if ARGV[6] == 'forever' then
    call('SET', KEYS[7], digits)
  else
    call('SET', KEYS[7], digits, 'PXAT', string.format('%.0f', math.floor(fence / 1000) + ARGV[6]))
  end
end
leave_queue(exclusive)
call('DEL', inside)
-- A key that is ours already may last longer, which another lock with the same token counts on.
if not ours or call('PTTL', key) <= ttl then
  call('SET', key, me, 'PX', ttl)
end
return fence
