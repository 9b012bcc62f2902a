-- An error of the server as it is. Older servers put the ones that they have within scripts into a text:
-- `@user_script: 12: -OOM command not allowed`.
local function refusal_of(answer)
  local code = string.match(answer.err, '^@user_script: *%d+: *%-([^\r\n]*)')
  return code and {err = code} or answer
end

