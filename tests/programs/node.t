#!/bin/sh
# node: V8 with worker threads, buffers, compression and child processes. Any installed node will do.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup node
command -v node >/dev/null || "$root/tools/need.sh" nodejs || bail_out "package nodejs is missing"

cat >work.js <<'EOF'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync } = require('child_process');
const crypto = require('crypto');
const zlib = require('zlib');

function work(seed, rounds) {
  const hash = crypto.createHash('sha256');
  const kept = new Map();
  for (let round = 0; round < rounds; round++) {
    seed = (seed * 48271) % 2147483647;
    const bytes = Buffer.alloc(1 + seed % 200000, `seed ${seed} `);
    const packed = zlib.deflateSync(bytes, { level: 1 + round % 9 });
    if (!zlib.inflateSync(packed).equals(bytes)) throw new Error('inflate');
    const tree = JSON.parse(JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ i, name: `n${seed % (i + 1)}` }))));
    kept.set(seed % 64, { packed, tree });
    hash.update(bytes).update(JSON.stringify(tree)).update(String(kept.size));
  }
  return hash.digest('hex');
}

if (!isMainThread) {
  parentPort.postMessage(work(workerData.seed, workerData.rounds));
} else {
  const rounds = Number(process.argv[2]);
  const workers = [11, 22, 33, 44].map((seed) => new Promise((resolve, reject) => {
    new Worker(__filename, { workerData: { seed, rounds } }).on('message', resolve).on('error', reject);
  }));
  Promise.all(workers).then((digests) => {
    console.log(digests.join('\n'), work(55, rounds));
    for (let i = 0; i < 5; i++) console.log(execFileSync('/bin/echo', [`child ${i}`]).toString());
  });
}
EOF
same_run "workers, buffers, children" node work.js "$(quick 200 1000)"
finish
