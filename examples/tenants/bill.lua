-- bill.lua: a tenant's script. Reads the orders of a month, day by day, and bills each customer. ... is the tenant's number;
-- after each day others have their turn (yield). Returns: what all customers pay, in cents.
local seed = ...
local function random(limit)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % limit + 1
end

local goods = { apple = 25, bread = 310, cheese = 1299, honey = 650, salt = 49 }
local names = {}
for name in pairs(goods) do names[#names + 1] = name end
table.sort(names)

-- The orders of a day, as they come in: lines "customer;good;count".
local function orders_of(day)
    local lines = {}
    for i = 1, 40 do
        lines[i] = string.format("customer %d;%s;%d", random(20), names[random(#names)], random(9))
    end
    return "# day " .. day .. "\n" .. table.concat(lines, "\n")
end

local accounts, ordered = {}, 0
for day = 1, 28 do
    for customer, good, count in orders_of(day):gmatch("([^;\n]+);(%a+);(%d+)") do
        local account = accounts[customer] or { lines = {}, cents = 0 }
        local cents = goods[good] * tonumber(count)
        account.lines[#account.lines + 1] = string.format("%2d. %-8s %d x %d", day, good, count, goods[good])
        account.cents = account.cents + cents
        accounts[customer] = account
        ordered = ordered + cents
    end
    coroutine.yield()
end

local billed = 0
for customer, account in pairs(accounts) do
    local bill = customer .. "\n" .. table.concat(account.lines, "\n") .. "\ntotal " .. account.cents
    billed = billed + tonumber(bill:match("total (%d+)$"))
end
assert(billed == ordered, "a bill is wrong")
return billed
