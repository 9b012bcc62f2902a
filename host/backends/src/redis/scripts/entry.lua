-- What all scripts share: reading the head of an entry. Put in front of each of them.

-- What the server refused. An error of it ends the script and becomes its answer, with the code that it had; a script
-- that is left to end by itself has that code in a text, on older servers.
local refusal

local function refuse(answer)
  refusal = refusal_of(answer)
  error('refused')
end

-- Calls the server.
local function call(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then refuse(answer) end
  return answer
end

local MAGIC = '\255larder\001'

-- The server's time in milliseconds, rounded up, so that nothing lives shorter than was asked.
local function server_now()
  local time = call('TIME')
  return time[1] * 1000 + math.ceil(time[2] / 1000)
end

local function is_head(head)
  return #head == 24 and string.sub(head, 1, 8) == MAGIC
end

-- The deadline in a head; 0 without one.
local function deadline(head)
  return (struct.unpack('>I8', string.sub(head, 17, 24)))
end

-- The head of a live entry; '' for a value that another client wrote; false where there is no entry.
-- `now` is nil where the server's own expiry decides.
local function live_head(key, now)
  local head = call('GETRANGE', key, 0, 23)
  if is_head(head) then
    if now then
      local at = deadline(head)
      if at ~= 0 and at <= now then return false end
    end
    return head
  end
  if #head == 0 and call('EXISTS', key) == 0 then return false end
  return ''
end

-- The version of a value that another client wrote: 16 hexadecimal digits made of its bytes.
local function plain_version(value)
  return string.sub(redis.sha1hex(value), 1, 16)
end

-- When a value that another client wrote expires; '' where it does not.
local function plain_deadline(key)
  local left = call('PTTL', key)
  if left < 0 then return '' end
  return string.format('%.0f', server_now() + left)
end

-- Looks at no more than `count` rows whose deadline has passed, and removes them, and from the index what is gone. The
-- entry has the last word: a row of one that stays is only removed, one of an entry that lives longer put off.
local function sweep(index, expiries, prefix, now, count)
  local time = now or server_now()
  local due = call('ZRANGEBYSCORE', expiries, '-inf', time, 'LIMIT', 0, count)
  local gone, over = {}, {}
  for _, member in ipairs(due) do
    local key, left = prefix .. member, -2
    if not now then
      left = call('PTTL', key)
    elseif live_head(key, now) then
      left = -1
    end
    if left >= 0 then
      call('ZADD', expiries, string.format('%.0f', time + left + 1), member)
    else
      over[#over + 1] = member
      if left == -2 then gone[#gone + 1] = member end
    end
  end
  if #gone > 0 then call('ZREM', index, unpack(gone)) end
  if #over > 0 then call('ZREM', expiries, unpack(over)) end
  return #due
end
