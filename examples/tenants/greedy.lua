-- greedy.lua: a tenant's script that allocates for ever.
local kept = {}
while true do
    for _ = 1, 100 do kept[#kept + 1] = "item " .. #kept .. string.rep(" and more", 10) end
    coroutine.yield()
end
