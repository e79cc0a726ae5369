// A foreign MQTT 5 peer over WebSocket: the official Node client with a custom authorizer.
//
// Connects, subscribes, publishes one message at QoS 1, waits until it comes back, and disconnects. Each step is a JSON
// line on stdout, as in crates/testkit/python/peer.py; the exit code is 0 when all of them happened and 1 at the first that did
// not.
//
//     node peer.mjs --modules DIR --endpoint localhost --port 8443 --ca-file CA --client-id ID --topic TOPIC
//         --message TEXT --authorizer-name NAME --auth-username USER [--auth-token-key-name KEY]
//
// DIR holds node_modules. The password comes from AWS_IOT_AUTH_PASSWORD, the token and its signature from
// AWS_IOT_AUTH_TOKEN_VALUE and AWS_IOT_AUTH_SIGNATURE.

import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";

const LIMIT_MS = 20_000;

const required = ["modules", "endpoint", "port", "ca-file", "client-id", "topic", "message"];
const optional = ["authorizer-name", "auth-username", "auth-token-key-name"];
const options = Object.fromEntries([...required, ...optional].map((name) => [name, { type: "string" }]));
const { values } = parseArgs({ options });
for (const name of required) {
  if (values[name] === undefined) {
    console.error(`error: --${name} is required`);
    process.exit(2);
  }
}
const { iot, mqtt5 } = createRequire(join(values.modules, "package.json"))("aws-iot-device-sdk-v2");

const report = (event, details = {}) => console.log(JSON.stringify({ event, ...details }));
const fail = (event, details) => {
  report(event, details);
  process.exit(1);
};

const deadline = setTimeout(() => fail("timeout"), LIMIT_MS);
const builder = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithCustomAuth(values.endpoint, {
  authorizerName: values["authorizer-name"],
  username: values["auth-username"],
  password: process.env.AWS_IOT_AUTH_PASSWORD && Buffer.from(process.env.AWS_IOT_AUTH_PASSWORD),
  tokenKeyName: values["auth-token-key-name"],
  tokenValue: process.env.AWS_IOT_AUTH_TOKEN_VALUE,
  tokenSignature: process.env.AWS_IOT_AUTH_SIGNATURE,
});
builder.withPort(Number(values.port));
builder.withCertificateAuthorityFromPath(undefined, values["ca-file"]);
builder.withConnectProperties({ clientId: values["client-id"], keepAliveIntervalSeconds: 1200 });
const client = new mqtt5.Mqtt5Client(builder.build());

client.on("connectionFailure", ({ error, connack }) =>
  fail("connection_failure", { message: String(error), code: connack?.reasonCode ?? null }),
);
client.on("disconnection", ({ error, disconnect }) => {
  if (disconnect || error) {
    fail("disconnected_early", { message: String(error), code: disconnect?.reasonCode ?? null });
  }
});

const connected = once(client, "connectionSuccess");
client.start();
await connected;
report("connected", { client_id: values["client-id"] });

const suback = await client.subscribe({
  subscriptions: [{ topicFilter: values.topic, qos: mqtt5.QoS.AtLeastOnce }],
});
accept("subscribe", suback.reasonCodes[0]);
report("subscribed", { filter: values.topic });

const received = once(client, "messageReceived");
const puback = await client.publish({
  topicName: values.topic,
  payload: values.message,
  qos: mqtt5.QoS.AtLeastOnce,
});
accept("publish", puback.reasonCode);
report("published", { topic: values.topic });

const [{ message }] = await received;
report("received", { topic: message.topicName, payload: Buffer.from(message.payload).toString() });

client.removeAllListeners("disconnection");
const stopped = once(client, "stopped");
client.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
await stopped;
client.close();
clearTimeout(deadline);
report("disconnected");
// As the official samples do: left alone, the native library keeps the process for some 8 s more.
process.exit(0);

function accept(step, code) {
  if (code >= 0x80) {
    fail("refused", { step, code });
  }
}
