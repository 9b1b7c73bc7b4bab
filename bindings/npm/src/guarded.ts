/**
 * A Lua script that sets a key unless a write with a larger fence came first. It is for the data that a lock protects: run it
 * with your own client, where that data is.
 *
 *     EVAL script 2 key guard fence value [PX milliseconds]
 *
 * `EX`, `EXAT` and `PXAT` are possible in place of `PX`. Any other option is an error, and so is a fence that is not a whole
 * number; then nothing changed.
 *
 * It returns 1 if `key` is set. It returns 0 if a larger fence came first, and then nothing changed: the writer has lost its
 * lock. `guard` is a key of your choice that keeps the largest fence, and on a cluster has to be in the slot of `key`.
 */
export const GUARDED_SET: string = `local fence = string.match(ARGV[1], '^%d+$') and tonumber(ARGV[1])
if not fence then
  return redis.error_reply('ERR the fence is not a whole number')
end
local option = string.upper(ARGV[3] or 'PX')
if #ARGV > 4 or not (option == 'EX' or option == 'PX' or option == 'EXAT' or option == 'PXAT') then
  return redis.error_reply('ERR the only options are EX, PX, EXAT and PXAT, with a time')
end
if tonumber(redis.call('GET', KEYS[2]) or 0) > fence then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
redis.call('SET', KEYS[2], ARGV[1])
return 1
`;
