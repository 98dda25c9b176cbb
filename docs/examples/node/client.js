// Sends an email, watches its events until it is settled, and lists the newest emails.
//
//   POSTROOM_TOKEN=$(cat data/dev.token) node client.js [address]

import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const target = process.env.POSTROOM_TARGET ?? "127.0.0.1:50051";
const to = process.argv[2] ?? "you@example.com";
const protos = fileURLToPath(new URL("../../../protos", import.meta.url));

const definition = protoLoader.loadSync("postroom/v1/email_service.proto", {
  includeDirs: [protos],
  keepCase: true, // names as in the contract
  longs: String, // ids have 64 bits: more than a JavaScript number holds
  enums: String,
  defaults: true,
  oneofs: true,
});
const { EmailService } = grpc.loadPackageDefinition(definition).postroom.v1;
const emails = new EmailService(target, grpc.credentials.createInsecure());

const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${process.env.POSTROOM_TOKEN ?? ""}`);

/** Makes a unary call and answers a promise. */
function call(method, request) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 10_000;
    emails[method](request, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** Waits until an email is settled, reading its events from the first one on. */
async function settled(id) {
  const stream = emails.WatchEvents({ filter: { email_ids: [id] } }, metadata);
  try {
    for await (const { event } of stream) {
      if (!event) continue; // a heartbeat
      console.log(`event   ${event.kind} ${event.code || ""}`);
      if (event.kind === "EVENT_KIND_EMAIL_SETTLED") return event.email_state;
    }
  } finally {
    stream.on("error", () => {}); // our own cancel ends it with CANCELLED
    stream.cancel();
  }
  throw new Error("the stream ended before the email was settled");
}

/** Says why a call was refused: the reason stands in google.rpc.ErrorInfo, and the message is for people. */
function explain(error) {
  console.error(`${grpc.status[error.code] ?? "error"}: ${error.details ?? error.message}`);
  process.exitCode = 1;
}

try {
  const sent = await call("SendEmail", {
    request_id: `example-${Date.now()}`, // repeating the call with it makes no second email
    to: [to],
    subject: "Hello from Node",
    custom: { text: "It works. 你好 👋" },
  });
  console.log(`sent    ${sent.id}`);
  console.log(`settled ${await settled(sent.id)}`);
  const page = await call("ListEmails", { page_size: 5 });
  for (const email of page.emails) console.log(`listed  ${email.id} ${email.state} ${email.subject}`);
} catch (error) {
  explain(error);
} finally {
  emails.close();
}
