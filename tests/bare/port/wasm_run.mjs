// wasm_run.mjs: run a test program that was compiled to WebAssembly.
//
//   node wasm_run.mjs PROGRAM.wasm
import { readFileSync, writeSync } from "node:fs";

let memory;
const env = {
  host_write: (text, bytes) => writeSync(1, new Uint8Array(memory.buffer, text, bytes)),
  host_exit: (status) => process.exit(status),
};
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { env });
memory = instance.exports.memory;
process.exitCode = instance.exports.run();
