-- Lets a lock share a key with others, unless somebody has it alone, as many share it as are allowed to, or one comes first.
--
-- KEYS[1] the key of the lock, and then its companions
-- KEYS[2] in: who shares the key, by the end of each one's lease
-- KEYS[3] exclusive: those who wait to have it alone, by their turn
-- KEYS[4] shared: those who wait to share it, by their turn
-- KEYS[5] alive: until when each of those who wait counts
-- KEYS[6] the bell of this lock
-- ARGV[1] value: token and metadata
-- ARGV[2] ttl in whole milliseconds
-- ARGV[3] for how long the lock waits in the queue if it is denied, in milliseconds; 0: not at all
-- ARGV[4] for how long it has waited, in microseconds
-- ARGV[5] how many may share the key, this one included; 0: any number
-- ARGV[6] not empty if the only holder of the key is to share it from now on
-- Returns 1 if the lock shares the key now, for at least the ttl. Otherwise an array, as in enter.lua.
local limit, change = tonumber(ARGV[5]), ARGV[6] ~= ''
local down = change and held == me
local ends = now + ttl
if held == '~shared' then
  call('ZREMRANGEBYSCORE', inside, '-inf', now)
elseif not held or down then
  -- Whoever is noted there is not inside any more.
  call('DEL', inside)
end
local own = held == '~shared' and call('ZSCORE', inside, me)
if own then
  -- Another lock with the same token, or a request that came late, must not shorten a lease.
  ends = math.max(own, ends)
elseif not down then
  if change then
    return {0, 0, ''}
  end
  turn = call('ZSCORE', shared, me) or string.format('%.0f', us - waited)
  local one, left = ahead(exclusive)
  if one then
    -- One who waits to have the key alone goes before all who came later.
    return denied(shared, -2, left, one)
  end
  if held and held ~= '~shared' then
    return denied(shared, 0, call('PTTL', key))
  end
  if limit > 0 then
    one, left = ahead(shared)
    local taken = held and call('ZCARD', inside) or 0
    local before = one and call('ZCOUNT', shared, '-inf', '(' .. turn) or 0
    if taken + before >= limit then
      if one then
        return denied(shared, -2, left, one)
      end
      return denied(shared, -1, call('ZRANGE', inside, 0, 0, 'WITHSCORES')[2] - now)
    end
  end
end
leave_queue(shared)
cover(ends)
return 1
