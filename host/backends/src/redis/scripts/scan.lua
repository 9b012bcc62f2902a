-- One page of a range, in the order of the keys' bytes.
--
-- KEYS  index, expiries, scratch (the last two for nothing but to be refused while the slot moves to another node: then
--       some of the entries are here and some are there)
-- ARGV  the entries' prefix; the time in ms, or '' for the server's; first and last bound as ZRANGEBYLEX takes them;
--       most entries; most bytes; most members to look at; 'e' (entries) or 'k' (keys)
--
-- Answers {0, next key or '', key, string, key, {value, deadline, version}, ...}, or {1} where the index is not whole.
-- A member whose entry is gone is dropped from the index; how many are looked at is bounded.

local index = KEYS[1]
local prefix, now = ARGV[1], tonumber(ARGV[2])
local from, to = ARGV[3], ARGV[4]
local entries_max, bytes_max, looks_max = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local keys_only = ARGV[8] == 'k'

if call('ZSCORE', index, '') ~= '0' then return {1} end

-- What is answered for a member, and how many bytes of a page it takes; nothing where there is no entry.
local function look(member)
  local key = prefix .. member
  local value
  if keys_only then value = redis.pcall('GETRANGE', key, 0, 23) else value = redis.pcall('GET', key) end
  if type(value) == 'table' then
    -- Something that is no string is no entry; any other error is one.
    if string.sub(value.err, 1, 9) == 'WRONGTYPE' then return nil end
    refuse(value)
  end
  if not value then return nil end
  local head = string.sub(value, 1, 24)
  if is_head(head) then
    if now then
      local at = deadline(head)
      if at ~= 0 and at <= now then return nil end
    end
    return value, #member + #value - 24
  end
  if keys_only then value = call('GET', key) end
  if not value then return nil end
  local plain = {value, plain_deadline(key), plain_version(value)}
  if keys_only then plain[1] = '' end
  return plain, #member + #plain[1]
end

local page, gone = {0, ''}, {}
local count, bytes, looks = 0, 0, 0

local function fill()
  while true do
    local size = math.min(entries_max - count + 1, looks_max - looks + 1)
    local members = call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, size)
    for _, member in ipairs(members) do
      if count == entries_max or looks == looks_max then return member end
      looks = looks + 1
      local value, cost = look(member)
      if not value then
        gone[#gone + 1] = member
      elseif count > 0 and bytes + cost > bytes_max then
        return member
      else
        count, bytes = count + 1, bytes + cost
        page[#page + 1] = member
        page[#page + 1] = value
      end
    end
    if #members < size then return '' end
    from = '(' .. members[#members]
  end
end

page[2] = fill()
-- A server that takes no writes can be scanned all the same.
if #gone > 0 then redis.pcall('ZREM', index, unpack(gone)) end
return page
