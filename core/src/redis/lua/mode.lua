-- What the scripts of the modes begin with: the names of the keys, who holds the lock, and the time.
local key, inside, exclusive, shared, alive, bell = unpack(KEYS)
local call = redis.call
local me, ttl = ARGV[1], tonumber(ARGV[2])
local held = redis.pcall('GET', key)
-- A key of another type is somebody else's; any other error says nothing about who holds it.
if type(held) == 'table' then
  if not string.find(held.err, 'WRONGTYPE', 1, true) then
    return held
  end
  held = ''
end
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local slack = math.floor(ttl / 8)
