// Judges payloads again and again, and prints what that cost: node judge.mjs ajv|zod SCHEMAS PAYLOADS SECONDS.
//
// The first pass gives the verdicts and is not measured; the compiler of Node has seen all of the code then. The cost is
// the CPU time of the process, of all its threads. The payloads are bytes, as they come from a socket.
import { readFileSync } from "node:fs";

const [mode, schemas, path, seconds] = process.argv.slice(2);
const { judgeOf } = await import(`./with_${mode}.mjs`);

function readPayloads() {
  const text = readFileSync(path);
  const found = [];
  for (let at = 0; at < text.length; ) {
    const lineEnd = text.indexOf("\n", at);
    const [name, bytes] = text.toString("utf8", at, lineEnd).split(" ");
    at = lineEnd + 1 + Number(bytes);
    found.push([name, text.subarray(lineEnd + 1, at)]);
    at += 1;
  }
  return found;
}

const payloads = readPayloads();
const judges = new Map();
for (const [name] of payloads) {
  if (!judges.has(name)) {
    judges.set(name, judgeOf(name, JSON.parse(readFileSync(`${schemas}/${name}/1.0.json`))));
  }
}
const work = payloads.map(([name, text]) => [judges.get(name), text]);

function errorsOf(judge, bytes) {
  let value;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return 1;
  }
  return judge(value);
}

const counts = work.map(([judge, text]) => errorsOf(judge, text));
const begin = process.cpuUsage();
let cpuS = 0;
let passes = 0;
while (cpuS < Number(seconds)) {
  for (const [judge, text] of work) errorsOf(judge, text);
  passes += 1;
  const used = process.cpuUsage(begin);
  cpuS = (used.user + used.system) / 1e6;
}
const verdicts = counts.map((count) => (count ? "0" : "1")).join("");
const errors = counts.reduce((sum, count) => sum + count, 0);
console.log(JSON.stringify({ verdicts, errors, passes, cpu_s: cpuS }));
