-- The order of those who wait: a sorted set by the time since when they wait, and a hash with the end of each one's patience.
local patience, waited, turn = tonumber(ARGV[3]), tonumber(ARGV[4]), nil
-- The last live client before our turn, and for how long it counts as alive. The dead ones that this meets are removed.
local function ahead(order)
  while true do
    local one = call('ZREVRANGEBYSCORE', order, '(' .. turn, '-inf', 'LIMIT', 0, 1)[1]
    local left = one and (call('HGET', alive, one) or 0) - now
    if not one or left > 0 then
      return one, left
    end
    call('ZREM', order, one)
    call('HDEL', alive, one)
  end
end
-- Whoever leaves the queue rings its bell, which the next one watches.
local function leave_queue(order)
  if call('ZREM', order, me) == 1 then
    call('HDEL', alive, me)
    call('SET', bell, '')
    call('DEL', bell)
  end
end
local function denied(order, by, left, one)
  if patience > 0 then
    call('ZADD', order, turn, me)
    call('HSET', alive, me, now + patience)
    call('PEXPIRE', order, 60000)
    call('PEXPIRE', alive, 60000)
  end
  return {by, left, string.sub(one or '', 1, 8)}
end
