// nodemailer with a pool of kept connections, as its users write it. Nothing is stored before it is sent.
//
// node send.js PORT CONNECTIONS RETRY_MS; then a line of JSON for each round:
// {"pattern": {...}, "first": 1000000, "mails": 3000}, answered with {"began": seconds, "mails": 3000}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import nodemailer from "nodemailer";

const [port, connections, retryMilliseconds] = process.argv.slice(2).map(Number);
const { version } = createRequire(import.meta.url)("nodemailer/package.json");

const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port,
  pool: true,
  maxConnections: connections,
  maxMessages: Infinity,
  secure: false,
  ignoreTLS: true,
});

// CLOCK_MONOTONIC, as Python's time.perf_counter on Linux.
const now = () => Number(process.hrtime.bigint()) / 1e9;

async function send(mail) {
  for (;;) {
    try {
      return await transport.sendMail(mail);
    } catch (error) {
      if (!(error.responseCode >= 400 && error.responseCode < 500)) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMilliseconds));
    }
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

console.log(JSON.stringify({ version, node: process.version }));
for await (const line of createInterface({ input: process.stdin })) {
  const { pattern, first, mails } = JSON.parse(line);
  const numbers = Array.from({ length: mails }, (_, index) => first + index);
  const made = numbers.map((number) => {
    const fill = (text) => text.replaceAll("{number}", number);
    return {
      from: { name: pattern.from_name, address: pattern.from },
      to: fill(pattern.to),
      subject: fill(pattern.subject),
      text: fill(pattern.text),
      html: fill(pattern.html),
    };
  });
  const began = now();
  // The answer does not wait: the sink says when the last mail came.
  for (const mail of made) send(mail).catch(fail);
  console.log(JSON.stringify({ began, mails }));
}
