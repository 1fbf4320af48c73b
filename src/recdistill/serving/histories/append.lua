-- Keep events, all or none. ARGV: for each event id, user, item, at. Returns how many are new; of a conflict -1 - place.
local meant, fresh = {}, {}
for i = 1, #ARGV, 4 do
    local id, value = ARGV[i], ARGV[i + 1] .. ARGV[i + 2]
    local known = meant[id] or redis.call('GET', 'recdistill:event:' .. id)
    if known and known ~= value then
        return -1 - (i - 1) / 4
    end
    if not known then
        fresh[#fresh + 1] = i
    end
    meant[id] = value
end
for _, i in ipairs(fresh) do
    local id, user, item, at = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    -- Members of one score are in the order of their bytes: the number of arrival goes first.
    local place = struct.pack('>I8', redis.call('INCR', 'recdistill:places'))
    redis.call('SET', 'recdistill:event:' .. id, user .. item)
    redis.call('ZADD', 'recdistill:user:' .. user, at, place .. id .. item)
end
return #fresh
