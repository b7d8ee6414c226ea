#!/bin/sh
# lua: trees, strings and coroutines; every collection frees many small blocks, closing the state frees all.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup lua lua5.4

cat >work.lua <<'EOF'
local rounds = tonumber(arg[1])
local function tree(depth)
    return depth == 0 and {} or { tree(depth - 1), tree(depth - 1) }
end
local function count(node)
    return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end
local seed = 1
local function random(limit)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % limit + 1
end
local kept = {}
for round = 1, rounds do
    local parts = {}
    for i = 1, 20000 do parts[i] = string.rep(string.char(96 + random(26)), random(60)) end
    kept[random(16)] = table.concat(parts, " ")
    local walk = coroutine.wrap(function() for word in kept[next(kept)]:gmatch("%a+") do coroutine.yield(#word) end end)
    local sum = 0
    for length in walk do sum = sum + length end
    table.sort(parts)
    print(round, sum, parts[1000], count(tree(14)))
    if round % 5 == 0 then collectgarbage(round % 2 == 0 and "generational" or "incremental") collectgarbage() end
end
EOF
same_run "trees, strings, coroutines" lua5.4 work.lua "$(quick 20 80)"
finish
