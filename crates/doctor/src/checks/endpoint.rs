//! What the endpoint's name tells.

use std::env;
use std::net::IpAddr;

use crate::case::Case;
use crate::check::Check;
use crate::method::Method;

pub(crate) const NAME: &str = "endpoint";

/// Endpoints of an account beside the one for MQTT.
const OTHER_SERVICES: [&str; 2] = [".credentials.iot.", ".jobs.iot."];

pub(crate) fn check(case: &Case) -> Check {
    let host = case.host();
    let region = case.endpoint.region();
    let named =
        region.map_or_else(|| "no AWS region in its name".to_owned(), |region| format!("region {region}"));
    let mut check = Check::ok(NAME, format!("{host}, port {}, {named}; {}", case.port, case.method.title()));
    if host.parse::<IpAddr>().is_ok() {
        check = check.warn(
            "an address was given: AWS IoT Core finds your account by the name in the TLS handshake (SNI)",
            "give the endpoint's name: `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints it",
        );
    }
    if case.endpoint.is_legacy() {
        check = check.warn(
            "this is the legacy endpoint, whose CA newer trust stores lack",
            "use the one that ends in -ats: `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints it",
        );
    }
    if (case.endpoint.is_aws() && region.is_none()) || OTHER_SERVICES.iter().any(|name| host.contains(name)) {
        check = check.warn(
            "the name is one of AWS's, and not one that AWS IoT Core gives to devices",
            "use what `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints",
        );
    }
    match (case.method, region, ambient_region()) {
        (Method::SigV4, Some(named), Some((variable, ambient))) if named != ambient => check.warn(
            format!(
                "{variable} is {ambient}, and the endpoint is in {named}: it is {named} that is signed for"
            ),
            "nothing if the endpoint is the right one; it must be of the region whose things you want",
        ),
        _ => check,
    }
}

/// The variable that names a region, and the region.
fn ambient_region() -> Option<(&'static str, String)> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| {
        let region = env::var(name).ok().filter(|region| !region.is_empty())?;
        Some((name, region))
    })
}
