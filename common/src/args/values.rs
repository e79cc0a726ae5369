//! Values of flags: numbers and texts.

use std::time::Duration;

use iot_client::QoS;

/// AWS IoT Core has no QoS 2.
pub(super) fn parse_qos(text: &str) -> Result<QoS, String> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Err("AWS IoT Core has QoS 0 and 1 only".to_owned()),
        _ => Err("expected 0 or 1".to_owned()),
    }
}

/// A string as MQTT has it: its length is a number of two bytes (MQTT 5.0 §1.5.4).
pub(super) fn parse_text(text: &str) -> Result<String, String> {
    match u16::try_from(text.len()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{} bytes, and MQTT takes at most {}", text.len(), u16::MAX)),
    }
}

/// A positive number of seconds, up to an hour.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds above 0 and up to 3600".to_owned()),
    }
}

/// Seconds, up to a day.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds from 0 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "0", "-1", "nan", "inf", "1e300", "3601", "5s"] {
            assert!(parse_seconds(bad).is_err(), "{bad:?}");
        }
    }
}
