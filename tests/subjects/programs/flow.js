// Flow matching by Euler's method, from noise at time 0 to data at 1.
const lines = require("readline").createInterface({ input: process.stdin });
const it = lines[Symbol.asyncIterator]();
const read = async () => JSON.parse((await it.next()).value);
const write = (what) => process.stdout.write(JSON.stringify(what) + "\n");

(async () => {
  const wrongAt = Number(process.argv[2] ?? -1);
  const { steps, state } = await read();
  let x = state;
  for (let i = 0; i < steps; i++) {
    write({ model: x, time: i / steps });
    const { output } = await read();
    const factor = (i === wrongAt ? 0.9 : 1) / steps;
    x = x.map((value, k) => value + factor * output[k]);
  }
  write({ sample: x });
  lines.close();
})();
