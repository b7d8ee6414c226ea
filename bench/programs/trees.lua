-- Binary trees: many are made and dropped while one large tree stays.
local function tree(depth)
    if depth == 0 then return { false, false } end
    return { tree(depth - 1), tree(depth - 1) }
end

local function count(node)
    return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end

local stays = tree(17)
local total = 0
for depth = 4, 16, 4 do
    for _ = 1, 1 << (18 - depth) do total = total + count(tree(depth)) end
end
local names = {}
for i = 1, 300000 do names[#names + 1] = "name " .. i % 5000 .. " of " .. i end
print(count(stays), total, #table.concat(names))
