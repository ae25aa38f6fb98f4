-- GCRA with partial grants over several limits at once: the arithmetic of domain/src/rate.rs, in Redis' own time.
--
-- KEYS      the limits' cells: microseconds at which the next unit would be due
-- ARGV[1]   "take" or "adjust"
-- ARGV[2]   the units: wanted (take), or charged if above 0 and given back if below (adjust)
-- ARGV[3]   the time in microseconds, or "" for Redis' own
-- ARGV[4..] per key: units per second, burst
--
-- Returns of a take {granted, microseconds until the turn of the first}, or {0, microseconds to wait}. Of an adjust, {0, 0}.

local now
if ARGV[3] == "" then
    local time = redis.call("TIME")
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
    now = tonumber(ARGV[3])
end

local taking = ARGV[1] == "take"
local units = tonumber(ARGV[2])
local starts = 0
local cells = {}

for i, key in ipairs(KEYS) do
    local per_second = tonumber(ARGV[2 * i + 2])
    local burst = tonumber(ARGV[2 * i + 3])
    local gap = math.max(math.ceil(1010000 / per_second), 1)
    local tolerance = gap * burst
    local stored = redis.call("GET", key)
    stored = stored and tonumber(stored)
    -- A cell that is missing has room for one unit: a lost key never lets a crowd through.
    local due = stored and math.max(stored, now) or now + tolerance - gap
    if taking then
        local room = math.floor(math.max(now + tolerance - due, 0) / gap)
        if room == 0 then
            return {0, math.max(due + gap - (now + tolerance), 1)}
        end
        units = math.min(units, room)
        starts = math.max(starts, due - now)
    end
    -- There is nothing to give back to a cell that is missing.
    cells[i] = (stored or units > 0) and {due, gap}
end

for i, key in ipairs(KEYS) do
    local cell = cells[i]
    if cell then
        local due = math.max(cell[1] + cell[2] * units, 1)
        -- Kept a minute longer than it matters. `tostring` would round to 14 digits.
        redis.call("SET", key, string.format("%.0f", due), "PX", math.max(math.ceil((due - now) / 1000), 0) + 60000)
    end
end

return {taking and units or 0, starts}
