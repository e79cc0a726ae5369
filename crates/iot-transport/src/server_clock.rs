//! What time a server has.

use std::time::Duration;

use http::Request;
use tokio::time::timeout;

use crate::cause::Cause;
use crate::endpoint::bracketed;
use crate::http_refusal::HttpRefusal;
use crate::https::{HttpClient, HttpLimits};
use crate::route::Route;

/// A server's answer to an HTTPS request, as far as clocks are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerClock {
    /// The HTTP status. A refusal tells the time as well.
    pub status: u16,
    /// Our clock minus the server's `Date`, in seconds; positive when ours is fast. A `Date` has whole seconds, and
    /// is as old as its way here. `None` without a `Date`.
    pub skew: Option<i64>,
}

/// A server that could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("no HTTPS answer from {target}")]
#[non_exhaustive]
pub struct NoServerClock {
    /// The server's `host:port`.
    pub target: String,
    source: Cause,
}

impl Route {
    /// Asks the HTTPS server of `host` at `port` what time it is, within `limit`. The request carries nothing of ours.
    ///
    /// # Errors
    /// [`NoServerClock`], with one of this crate's errors among its causes where a layer below HTTP failed.
    pub async fn server_clock(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<ServerClock, NoServerClock> {
        let target = format!("{}:{port}", bracketed(host));
        let failed = |source: Cause| NoServerClock { target: target.clone(), source };
        let request = Request::get(format!("https://{target}/")).body(String::new());
        let request = request.map_err(|error| failed(error.into()))?;
        let answer = timeout(limit, HttpClient::new(self).send(request, HttpLimits::default())).await;
        let answer = answer.map_err(|_| failed(format!("none within {} s", limit.as_secs_f32()).into()))?;
        let answer = answer.map_err(|error| failed(error.into()))?;
        let answer = HttpRefusal::read(answer.status(), answer.headers(), &[]);
        Ok(ServerClock { status: answer.status, skew: answer.clock_skew })
    }
}
