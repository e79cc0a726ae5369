//! Which checks there are, in which order, and which needs which.

use std::io;

use common::{Error, Failure};
use iot_client::{Auth, Error as ClientError};
use iot_transport::Error as TransportError;

use crate::args::Request;
use crate::case::Case;
use crate::check::Check;
use crate::checks::{
    caller, clock, connection, credentials, endpoint, name, proxy, round_trip, tcp, tls, trust,
};
use crate::report::{Format, Report, Verdict};

/// Makes all checks and reports each. A check that another has failed before is not made, and reported as such.
///
/// # Errors
/// What keeps the examination itself from going on: stdout, Ctrl-C, a proxy's CA file.
pub(crate) async fn examine(request: Request) -> Result<Verdict, Failure> {
    let Request { method, connection, auth, doctor, output } = request;
    let mut out = output.to(io::stdout());
    let mut report = Report::new(io::stdout(), if output.json { Format::Json } else { Format::Text });

    let (auth, unusable) = match auth {
        Some(Ok(auth)) => (Some(auth), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let options = auth.clone().map(|auth| connection.options(auth)).transpose();
    let usual_port = auth.as_ref().map_or_else(|| method.usual_port(), Auth::default_port);
    let port = connection.port.unwrap_or(usual_port);
    let https_port = doctor.https_port.unwrap_or(if method.has_certificate() { 443 } else { port });
    let (endpoint, limit) = (connection.endpoint.clone(), connection.connect_timeout);
    let case = Case { method, endpoint, port, https_port, route: connection.route()?, auth, limit };

    let (proxy, proxy_failed) = match case.route.choose(case.host()) {
        Ok(choice) => (Some(choice), None),
        Err(error) => (None, Some(error)),
    };
    let options = match options {
        // A proxy variable, and a CA file, that cannot be used have checks of their own.
        Err(unfit) if proxy_failed.is_none() && !is_about_roots(&unfit) => {
            report.add_needed(Check::failed(endpoint::NAME, unfit))?;
            None
        }
        options => {
            report.add_needed(endpoint::check(&case))?;
            options.ok().flatten()
        }
    };
    report.add_needed(proxy::check(proxy.as_ref(), proxy_failed))?;

    let mut addresses = Vec::new();
    let named = match &proxy {
        None => Check::not_reached(name::NAME, proxy::NAME),
        Some(choice) => name::check(&case, choice, &mut addresses).await,
    };
    report.add_needed(named)?;
    let is_direct = proxy.as_ref().is_some_and(|choice| choice.proxy.is_none());
    let no_way = match &proxy {
        None => Some(proxy::NAME),
        Some(_) if is_direct && addresses.is_empty() => Some(name::NAME),
        Some(_) => None,
    };
    let reached = report.add_needed(match no_way {
        Some(failed) => Check::not_reached(tcp::NAME, failed),
        None if is_direct => tcp::check(&case, &addresses).await,
        None => tcp::check_through_proxy(&case).await,
    })?;

    let trusted = report.add_needed(trust::check(&case))?;
    let below_tls = [&reached, &trusted].into_iter().find(|check| !check.is_passed()).map(|check| check.name);
    for check in match below_tls {
        Some(failed) => tls::NAMES.map(|name| Check::not_reached(name, failed)),
        None => tls::check(&case).await,
    } {
        report.add_needed(check)?;
    }

    // Another port may answer where the connection's does not, and a wrong clock need not keep us from connecting.
    let same_way = (case.https_port == case.port && !reached.is_passed()).then_some(tcp::NAME);
    let untrusted = (!trusted.is_passed()).then_some(trust::NAME);
    report.add(match no_way.or(same_way).or(untrusted) {
        Some(failed) => Check::not_reached(clock::NAME, failed),
        None => clock::check(&case, &reached).await,
    })?;

    let (check, examined) = match unusable {
        Some(error) => (Check::failed(credentials::NAME, error), None),
        None => credentials::check(&case).await,
    };
    report.add_needed(check)?;
    let no_call = proxy.is_none().then_some(proxy::NAME).or(untrusted);
    let (check, caller) = caller::check(&case, examined.as_ref(), no_call).await;
    // What AWS IoT Core itself says of refused credentials is worth knowing.
    report.add(check)?;

    let session = match (options, report.stopped_by()) {
        (Some(mut options), None) => {
            options.operation_timeout = case.limit;
            out.watch(&options);
            connection::check(&case, &caller, options, &mut report).await?
        }
        (_, failed) => {
            for name in connection::NAMES {
                report.add(not_connected(name, failed))?;
            }
            None
        }
    };
    match session {
        Some(session) => round_trip::check(&case, session, &doctor.topic, &mut report).await?,
        None => {
            for name in round_trip::NAMES {
                report.add(not_connected(name, report.stopped_by()))?;
            }
        }
    }
    Ok(report.end()?)
}

/// A check that needs what `failed` has kept from being there, or else credentials.
fn not_connected(name: &'static str, failed: Option<&str>) -> Check {
    match failed {
        Some(failed) => Check::not_reached(name, failed),
        None => Check::unreached(name, "there are no credentials"),
    }
}

/// Whether the CA certificates to trust could not be had.
fn is_about_roots(error: &Error) -> bool {
    matches!(
        error,
        Error::Client(ClientError::Transport(TransportError::File { .. } | TransportError::Identity { .. }))
    )
}
