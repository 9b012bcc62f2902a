-- Removes what has expired from the index, at most so many rows.
--
-- KEYS  index, expiries
-- ARGV  the entries' prefix; the time in ms, or '' for the server's; most rows
--
-- Answers how many rows were due.

return sweep(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
