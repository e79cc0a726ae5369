//! The connection as a client makes it: the WebSocket upgrade, CONNECT and CONNACK.

use std::io::Write;
use std::time::Duration;

use iot_client::{Accepted, Auth, BrokerLimits, Client, ClientOptions, Error};
use iot_transport::timeline::StepState;
use iot_transport::{Error as TransportError, Layer, Step};

use super::caller::{self, Caller};
use super::credentials::{advise_on_policy, advise_on_rejection};
use super::round_trip::Session;
use crate::case::Case;
use crate::check::Check;
use crate::report::Report;

pub(crate) const NAMES: [&str; 2] = [WEBSOCKET, CONNACK];

const WEBSOCKET: &str = "WebSocket";
const CONNACK: &str = "CONNACK";

/// What devices behind a NAT gateway can count on: AWS's own forgets a connection that was silent for 350 s
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>).
const FORGOTTEN: Duration = Duration::from_secs(300);

/// Connects; `None` when there is no connection, and nothing to check behind it.
pub(crate) async fn check<W: Write>(
    case: &Case,
    caller: &Caller,
    options: ClientOptions,
    report: &mut Report<W>,
) -> Result<Option<Session>, common::Error> {
    let timelines = options.timelines();
    let client_id = options.client_id.clone();
    let keep_alive = options.keep_alive;
    let is_websocket = options.plan().websocket_path.is_some();
    let outcome = Client::connect(options).await;
    let steps = timelines.attempts().kept.pop().map(|attempt| attempt.steps).unwrap_or_default();

    let is_open = steps.iter().any(|step| step.layer == Layer::WebSocket && step.state == StepState::Done);
    let upgrade = match (is_websocket, is_open) {
        (false, _) => Check::not_used(WEBSOCKET, "not used: MQTT is directly in TLS"),
        (true, true) => Check::ok(WEBSOCKET, "the server has switched to WebSocket (HTTP 101)"),
        (true, false) => match outcome {
            Ok(_) => Check::ok(WEBSOCKET, "open"),
            Err(error) => {
                report.add_needed(not_upgraded(caller, &client_id, error))?;
                report.add(Check::not_reached(CONNACK, WEBSOCKET))?;
                return Ok(None);
            }
        },
    };
    report.add(upgrade)?;
    match outcome {
        Ok(session) => {
            report.add(accepted(&client_id, keep_alive, &steps))?;
            Ok(Some(session))
        }
        Err(error) => {
            report.add_needed(refused(case, caller, &client_id, error))?;
            Ok(None)
        }
    }
}

fn accepted(client_id: &str, asked: Duration, steps: &[Step]) -> Check {
    let connack = steps.iter().find_map(|step| step.detail.as_ref()?.protocol()).map(
        |Accepted { version, session_present, limits }| {
            (format!("MQTT {version}, session present: {session_present}"), *limits)
        },
    );
    let (told, limits) = connack.unwrap_or_default();
    let keep_alive = limits.server_keep_alive.map_or(asked, |seconds| Duration::from_secs(seconds.into()));
    let mut parts = vec![format!("accepted as client ID {client_id}"), told];
    parts.push(match limits.server_keep_alive {
        Some(seconds) if Duration::from_secs(seconds.into()) != asked => {
            format!("keep-alive {seconds} s as the server wants, not {} s", asked.as_secs())
        }
        _ => format!("keep-alive {} s", asked.as_secs()),
    });
    parts.extend(describe(&limits));
    let check = Check::ok(CONNACK, parts.join(", "));
    if keep_alive <= FORGOTTEN {
        return check;
    }
    check.warn(
        format!(
            "after {} s of silence the client asks whether the broker is still there: a NAT gateway or firewall may \
             have forgotten the connection by then, and a lost one is noticed late",
            keep_alive.as_secs()
        ),
        "a --keep-alive of 30 s to 300 s",
    )
}

fn describe(limits: &BrokerLimits) -> Vec<String> {
    let number = |what: &str, value: Option<u32>| value.map(|value| format!("{what} {value}"));
    let available = |what: &str, value: Option<bool>| value.map(|value| format!("{what}: {value}"));
    [
        number("receive maximum", limits.receive_maximum.map(u32::from)),
        number("maximum QoS", limits.maximum_qos.map(u32::from)),
        number("maximum packet size", limits.maximum_packet_size),
        number("topic aliases", limits.topic_alias_maximum.map(u32::from)),
        available("retained messages", limits.retain_available),
        available("wildcard subscriptions", limits.wildcard_subscriptions),
        available("shared subscriptions", limits.shared_subscriptions),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn not_upgraded(caller: &Caller, client_id: &str, error: Error) -> Check {
    let is_refused =
        matches!(&error, Error::UpgradeRefused { refusal, .. } if matches!(refusal.status, 401 | 403));
    let check = Check::failed(WEBSOCKET, error);
    if is_refused { caller::advise_on_upgrade(check, caller, client_id) } else { check }
}

fn refused(case: &Case, caller: &Caller, client_id: &str, error: Error) -> Check {
    let about_policy = match &error {
        Error::ConnectRefused { code, .. } => code.is_not_authorized(),
        Error::ClosedBeforeConnack { .. } => true,
        _ => false,
    };
    let is_rejected = matches!(error, Error::Transport(TransportError::CertificateRejected { .. }));
    let check = Check::failed(CONNACK, error);
    match &case.auth {
        Some(Auth::MutualTls(identity)) if is_rejected => advise_on_rejection(check, identity),
        Some(Auth::MutualTls(identity)) if about_policy => advise_on_policy(check, identity),
        Some(Auth::SignedWebSocket(_)) if about_policy => caller::advise_on_policy(check, caller, client_id),
        _ => check,
    }
}
