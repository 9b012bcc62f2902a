-- Building the index anew. Its member '' (no key is empty) says how far it is: the score 0 that it is whole, another
-- one that somebody has begun to build it, none that it was lost. That score names the index that was begun: one that
-- is lost meanwhile is not taken for it.
--
-- KEYS  index, expiries, scratch (the last two for nothing but to be refused while the slot moves to another node: then
--       a walk sees a part of the entries only)
-- ARGV  'begin', a new score | 'add', prefix, names of entries... | 'finish', the score that was begun with
--
-- Answers the score: '0' is whole.

local index, step = KEYS[1], ARGV[1]
if step == 'begin' then
  call('ZADD', index, 'NX', ARGV[2], '')
elseif step == 'add' then
  local skip = #ARGV[2] + 1
  for i = 3, #ARGV do
    if call('EXISTS', ARGV[i]) == 1 then call('ZADD', index, 0, string.sub(ARGV[i], skip)) end
  end
elseif call('ZSCORE', index, '') == ARGV[2] then
  call('ZADD', index, 0, '')
end
return call('ZSCORE', index, '')
