-- Reads a value that another client wrote, and takes it into the index: what `get` finds, a scan finds from then on.
--
-- KEYS  index, expiries, entry
-- ARGV  the entries' prefix
--
-- Answers nothing where the entry is gone, {string} where it has a head by now, {value, deadline, version} else.

local index, expiries, key = KEYS[1], KEYS[2], KEYS[3]
local value = call('GET', key)
if not value then return false end
if is_head(string.sub(value, 1, 24)) then return {value} end
local ends = plain_deadline(key)
local member = string.sub(key, #ARGV[1] + 1)
-- A server that takes no writes can be read all the same.
redis.pcall('ZADD', index, 0, member)
if ends ~= '' then redis.pcall('ZADD', expiries, ends, member) end
return {value, ends, plain_version(value)}
