// wasm_run.mjs: run a test program that was compiled to WebAssembly.
//
//   node wasm_run.mjs PROGRAM.wasm
import { readFileSync, writeSync } from "node:fs";

let memory;
const host = {
  write: (text, bytes) => writeSync(1, new Uint8Array(memory.buffer, text, bytes)),
  exit: (status) => process.exit(status),
};
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host });
memory = instance.exports.memory;
process.exitCode = instance.exports.run();
