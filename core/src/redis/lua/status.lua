-- Reports who has a key, who waits for it, and its last fence. Changes nothing.
--
-- KEYS[1] the key of the lock, and then its companions
-- KEYS[2] in: who shares the key, by the end of each one's lease
-- KEYS[3] exclusive: those who wait to have it alone, by their turn
-- KEYS[4] shared: those who wait to share it, by their turn
-- KEYS[5] alive: until when each of those who wait counts
-- KEYS[6] the counter of the fence
-- ARGV[1] how many of those who share the key are listed at most
-- Returns an array: the value of the key, or nil; its remaining time, as PTTL; how many share it; how many wait; the counter, or
-- nil; and those who share it, the longest lease first: the value of each, and for how many milliseconds it lasts.
local key, inside, exclusive, shared, alive, counter = unpack(KEYS)
local call = redis.call
local held = redis.pcall('GET', key)
-- A key of another type is somebody else's; any other error says nothing about who holds it.
if type(held) == 'table' then
  if not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  held = ''
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count, sharing = 0, {}
if held == '~shared' then
  count = call('ZCOUNT', inside, '(' .. now, '+inf')
  sharing = call('ZREVRANGEBYSCORE', inside, '+inf', '(' .. now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
  for i = 2, #sharing, 2 do
    sharing[i] = sharing[i] - now
  end
end
local waiting = 0
for _, order in ipairs({exclusive, shared}) do
  for _, one in ipairs(call('ZRANGE', order, 0, -1)) do
    if (call('HGET', alive, one) or 0) - now > 0 then
      waiting = waiting + 1
    end
  end
end
local fence = redis.pcall('GET', counter)
return {held, call('PTTL', key), count, waiting, type(fence) == 'string' and fence, sharing}
