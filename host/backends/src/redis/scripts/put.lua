-- The commonest commit, without what it does not need: puts that neither expire nor depend on anything.
--
-- KEYS  index; then the entries
-- ARGV  the entries' prefix; for each entry its value in its envelope
--
-- Answers {0}, as a commit does. As there, the index comes first.

local index, skip = KEYS[1], #ARGV[1] + 1
for i = 2, #KEYS do
  local added = redis.pcall('ZADD', index, 0, string.sub(KEYS[i], skip))
  if type(added) == 'table' then return refusal_of(added) end
end
for i = 2, #KEYS do
  local set = redis.pcall('SET', KEYS[i], ARGV[i])
  if set.err then return refusal_of(set) end
end
return {0}
