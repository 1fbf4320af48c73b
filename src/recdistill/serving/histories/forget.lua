-- Remove a user (ARGV[1]) and the ids of their events. Returns how many that were.
local key = 'recdistill:user:' .. ARGV[1]
local members = redis.call('ZRANGE', key, 0, -1)
for _, member in ipairs(members) do
    redis.call('DEL', 'recdistill:event:' .. string.sub(member, 9, 24))
end
redis.call('DEL', key)
return #members
