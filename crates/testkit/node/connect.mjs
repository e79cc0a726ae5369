// Connects by mutual TLS and disconnects, with the official Node client; `cargo xtask bench` times it.

import { once } from "node:events";
import { parseArgs } from "node:util";
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";

const LIMIT_MS = 20_000;

const names = ["endpoint", "port", "ca-file", "cert", "key", "client-id"];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: "string" }])) });
for (const name of names) {
  if (values[name] === undefined) {
    console.error(`error: --${name} is required`);
    process.exit(2);
  }
}

const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(
  values.endpoint,
  values.cert,
  values.key,
);
builder.withPort(Number(values.port));
builder.withCertificateAuthorityFromPath(undefined, values["ca-file"]);
builder.withConnectProperties({ clientId: values["client-id"], keepAliveIntervalSeconds: 1200 });
const client = new mqtt5.Mqtt5Client(builder.build());

const fail = (reason) => {
  console.error(`error: ${values.endpoint}:${values.port}: ${reason}`);
  process.exit(1);
};
client.on("connectionFailure", ({ error }) => fail(error));
const deadline = setTimeout(() => fail("timed out"), LIMIT_MS);

const connected = once(client, "connectionSuccess");
client.start();
await connected;

const stopped = once(client, "stopped");
client.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
await stopped;
client.close();
clearTimeout(deadline);
// As the official samples do: left alone, the native library keeps the process for some 8 s more.
process.exit(0);
