// Buffers, JSON, maps and strings.
'use strict';
let state = 1;
const next = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff);

const seen = new Map();
for (let i = 0; i < 600000; i++) {
    const key = 'w' + next() % 60000;
    if (!seen.has(key)) seen.set(key, []);
    seen.get(key).push(i);
}
const live = [];
let bytes = 0;
for (let i = 0; i < 150000; i++) {
    const block = Buffer.allocUnsafeSlow(64 + next() % 16384);
    block[0] = i;
    bytes += block.length;
    live[next() % 2000] = block;
}
let text = JSON.stringify([...seen]);
for (let i = 0; i < 3; i++) text = JSON.stringify(JSON.parse(text));
console.log(seen.size, bytes, text.length);
