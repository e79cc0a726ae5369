// The official Node client as a peer of `cargo xtask bench`; the commands are explained in crates/bench/src/lib.rs.
//
//     node bench.mjs --modules DIR --host localhost --port 8883 --ca-file CA --cert CERT --key KEY --client-id ID
//
// DIR holds node_modules.

import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const PAYLOAD = Buffer.alloc(128, "x");
const EQUAL_BACKOFF_MS = 1000;
const ROUND_TRIPS_SECONDS = 2;

const names = ["modules", "host", "port", "ca-file", "cert", "key", "client-id"];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: "string" }])) });
for (const name of names) {
  if (values[name] === undefined) {
    console.error(`error: --${name} is required`);
    process.exit(2);
  }
}
const { iot, mqtt5 } = createRequire(join(values.modules, "package.json"))("aws-iot-device-sdk-v2");
const topicName = values["client-id"];
const now = () => performance.now() / 1000;

function create(clientId = topicName, configure = () => {}) {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(
    values.host,
    values.cert,
    values.key,
  );
  builder.withPort(Number(values.port));
  builder.withCertificateAuthorityFromPath(undefined, values["ca-file"]);
  builder.withConnectProperties({ clientId, keepAliveIntervalSeconds: 1200 });
  // Its quotas are AWS's; those of the others are off, too.
  builder.withExtendedValidationAndFlowControlOptions(mqtt5.ClientExtendedValidationAndFlowControl.None);
  configure(builder);
  return new mqtt5.Mqtt5Client(builder.build());
}

async function open(client) {
  const connected = once(client, "connectionSuccess");
  const began = now();
  client.start();
  await connected;
  return now() - began;
}

async function close(client) {
  const stopped = once(client, "stopped");
  client.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
  await stopped;
  client.close();
}

async function connect(count) {
  const seconds = [];
  for (let done = 0; done < Number(count); done++) {
    const client = create();
    seconds.push(await open(client));
    await close(client);
  }
  return { seconds };
}

async function roundTrips(level, count) {
  const qos = Number(level);
  const client = create();
  await open(client);
  await client.subscribe({ subscriptions: [{ topicFilter: topicName, qos }] });
  let arrived;
  client.on("messageReceived", () => arrived());
  const seconds = [];
  const start = now();
  while (seconds.length < Number(count) && now() - start < ROUND_TRIPS_SECONDS) {
    const arrival = new Promise((resolve) => (arrived = resolve));
    const began = now();
    const acknowledged = client.publish({ topicName, payload: PAYLOAD, qos });
    await arrival;
    seconds.push(now() - began);
    await acknowledged;
  }
  await close(client);
  return { seconds };
}

async function publish(window, messages) {
  const client = create();
  await open(client);
  let left = Number(messages);
  const one = () => client.publish({ topicName, payload: PAYLOAD, qos: mqtt5.QoS.AtLeastOnce });
  const lane = async () => {
    while (left-- > 0) {
      await one();
    }
  };
  const began = now();
  await Promise.all(Array.from({ length: Number(window) }, lane));
  const seconds = now() - began;
  await close(client);
  return { seconds };
}

async function outlive(backoff, count) {
  const configure = (builder) => {
    if (backoff === "equal") {
      builder.withMinReconnectDelayMs(EQUAL_BACKOFF_MS).withMaxReconnectDelayMs(EQUAL_BACKOFF_MS);
    }
  };
  const one = async (number) => {
    const client = create(`${topicName}-${number}`, configure);
    await open(client);
    const again = once(client, "connectionSuccess");
    report({ connected: true });
    await again;
    report({ reconnected: true });
    await close(client);
  };
  await Promise.all(Array.from({ length: Number(count) }, (_, number) => one(number)));
  return { done: true };
}

function report(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

const commands = { connect, "round-trips": roundTrips, publish, outlive };
const input = createInterface({ input: process.stdin });
let turn = Promise.resolve();
input.on("line", (line) => {
  const [name, ...words] = line.split(" ");
  turn = turn.then(async () => report(await commands[name](...words)));
});
// Whoever started this is gone: it ends, whatever it is doing. Left alone, the native library would keep it anyway.
input.on("close", () => process.exit(0));
