-- One commit: all checks, then all writes, or nothing.
--
-- KEYS  index, expiries, scratch; then the entries of the checks, then those of the writes
-- ARGV  the entries' prefix; the time in ms, or '' for the server's; the number of checks;
--       for each check  'a' (absent), 'p' (present), or 'v' and 8 bytes of version
--       for each write  'p', value in its envelope | 't', ms to live, half a head, value | 'd' | 'a', number, half a head
--
-- Answers {0, outcomes of deletes and adds in order}, or {1, i} where check i does not hold, {2, i} where what write i
-- adds to is no counter, {3, i} where its sum overflows.
--
-- Whatever can fail does so before the first entry changes: the checks and the sums come first, then the index, whose
-- superfluous members are harmless. A server that refuses writes (memory, read-only, disk) refuses the very first one.

local index, expiries, scratch = KEYS[1], KEYS[2], KEYS[3]
local prefix, now, checks = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local skip = #prefix + 1
local arg = 3

for i = 1, checks do
  local key, expected = KEYS[3 + i], ARGV[arg + i]
  local head = live_head(key, now)
  local kind = string.sub(expected, 1, 1)
  local holds
  if kind == 'a' then
    holds = not head
  elseif kind == 'p' then
    holds = head
  elseif head == '' then
    local high, low = struct.unpack('>I4I4', string.sub(expected, 2))
    holds = plain_version(call('GET', key)) == string.format('%08x%08x', high, low)
  else
    holds = head and string.sub(head, 9, 16) == string.sub(expected, 2)
  end
  if not holds then return {1, i} end
end
arg = arg + checks

local function is_counter(text)
  return text == '0' or (#text <= 20 and string.find(text, '^%-?[1-9]%d*$') ~= nil)
end

-- The exact sum, and nothing else where it overflows or `current` does.
local function sum(current, delta)
  -- Numbers of up to 15 digits are exact here; longer ones are left to the server.
  if #current <= 15 and #delta <= 15 then
    return string.format('%.0f', tonumber(current) + tonumber(delta))
  end
  call('SET', scratch, current)
  local counted = type(redis.pcall('INCRBY', scratch, 0)) == 'number'
  local added = counted and type(redis.pcall('INCRBY', scratch, delta)) == 'number'
  local text = call('GET', scratch)
  call('DEL', scratch)
  if not counted then return nil, 2 end
  if not added then return nil, 3 end
  return text
end

-- First: what each write will do.
local first = 3 + checks
local steps, timed = {}, false
local time = now
for i = 1, #KEYS - first do
  local op = ARGV[arg + 1]
  local step = {op, KEYS[first + i]}
  if op == 'p' then
    step[3] = ARGV[arg + 2]
    arg = arg + 2
  elseif op == 't' then
    time = time or server_now()
    timed = true
    local ttl = tonumber(ARGV[arg + 2])
    step[3] = ARGV[arg + 3] .. struct.pack('>I8', time + ttl) .. ARGV[arg + 4]
    step[4] = time + ttl
    step[5] = ttl
    arg = arg + 4
  elseif op == 'd' then
    if now then step[3] = live_head(step[2], now) end
    arg = arg + 1
  else
    local head = live_head(step[2], now)
    local current, ends = '0', string.rep('\0', 8)
    if head == '' then
      current = call('GETRANGE', step[2], 0, 20)
      local at = plain_deadline(step[2])
      if at ~= '' then ends = struct.pack('>I8', tonumber(at)) end
    elseif head then
      current = call('GETRANGE', step[2], 24, 44)
      ends = string.sub(head, 17, 24)
    end
    if not is_counter(current) then return {2, i} end
    local total, failure = sum(current, ARGV[arg + 2])
    if not total then return {failure, i} end
    step[3] = ARGV[arg + 3] .. ends .. total
    step[4] = total
    step[5] = head
    arg = arg + 3
  end
  steps[i] = step
end

-- Then the index.
for _, step in ipairs(steps) do
  local op, member = step[1], string.sub(step[2], skip)
  if op == 'd' then
    call('ZREM', index, member)
    call('ZREM', expiries, member)
  else
    call('ZADD', index, 0, member)
    if op == 't' then call('ZADD', expiries, step[4], member) end
  end
end

-- And then the entries.
local answer = {0}
for _, step in ipairs(steps) do
  local op, key = step[1], step[2]
  if op == 'p' then
    call('SET', key, step[3])
  elseif op == 't' then
    -- Where time is injected the server must not be the one who ends an entry; an hour is long in a test.
    if now then
      call('SET', key, step[3], 'PX', string.format('%.0f', step[5] + 3600000))
    else
      call('SET', key, step[3], 'PXAT', string.format('%.0f', step[4]))
    end
  elseif op == 'd' then
    local existed = call('DEL', key) == 1
    if now then existed = existed and step[3] end
    answer[#answer + 1] = existed and 1 or 0
  else
    if step[5] then call('SET', key, step[3], 'KEEPTTL') else call('SET', key, step[3]) end
    answer[#answer + 1] = step[4]
  end
end

-- Who makes rows that expire clears away some that are due, so that they do not pile up. The commit has happened by now,
-- whatever becomes of this.
if timed and not pcall(sweep, index, expiries, prefix, now, 16) then refusal = nil end
return answer
