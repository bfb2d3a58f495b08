-- Counts a request by all of its counters or by none, as counters.rs does.
--
-- KEYS: the counters asked, then those that a refused request gives back.
-- ARGV: how many are asked; when the others were taken (microseconds, or 0);
--       then of each asked counter interval and capacity, of each other one the
--       interval, all in nanoseconds.
-- Returns 1 or 0 for admitted, the time in microseconds, then the debt of each counter in
-- nanoseconds: of those asked, and, if refused, of those given back.
--
-- A counter is the moment at which it will be as if unused, in microseconds since 2026, so
-- that a double has room for fractions. The time is that of this server: the clocks of the
-- gateways do not matter. If it jumps back, no debt is greater than a full one.

local ORIGIN = 1767225600
local time = redis.call('TIME')
local now = (tonumber(time[1]) - ORIGIN) * 1000000 + tonumber(time[2])
local asked = tonumber(ARGV[1])
local taken_at = tonumber(ARGV[2])

local function debt_of(key)
  local unused_at = tonumber(redis.call('GET', key) or now)
  return math.max(0, unused_at - now)
end

local function set(key, debt)
  if debt > 0 then
    redis.call('SET', key, string.format('%.3f', now + debt), 'PX', math.ceil(debt / 1000))
  else
    redis.call('DEL', key)
  end
end

local answer = {1, string.format('%.0f', now)}
local intervals, debts = {}, {}
for i = 1, asked do
  local interval = tonumber(ARGV[1 + 2 * i]) / 1000
  local capacity = tonumber(ARGV[2 + 2 * i]) / 1000
  local debt = debt_of(KEYS[i])
  if debt > capacity then
    debt = capacity
    set(KEYS[i], debt)
  end
  -- Half a nanosecond of rounding keeps nobody out.
  if debt + interval > capacity + 0.0005 then
    answer[1] = 0
  end
  intervals[i], debts[i] = interval, debt
end

for i = 1, asked do
  if answer[1] == 1 then
    debts[i] = debts[i] + intervals[i]
    set(KEYS[i], debts[i])
  end
  answer[2 + i] = string.format('%.0f', debts[i] * 1000)
end

if answer[1] == 0 then
  for i = asked + 1, #KEYS do
    local interval = tonumber(ARGV[2 + asked + i]) / 1000
    local refund = math.max(0, interval - math.max(0, now - taken_at))
    local debt = math.max(0, debt_of(KEYS[i]) - refund)
    set(KEYS[i], debt)
    answer[2 + i] = string.format('%.0f', debt * 1000)
  end
end
return answer
