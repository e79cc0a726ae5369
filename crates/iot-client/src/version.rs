use std::fmt;
use std::str::FromStr;

/// The version of the MQTT protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum MqttVersion {
    /// MQTT 3.1.1 (OASIS standard, 2014).
    V311,
    /// MQTT 5.0 (OASIS standard, 2019).
    #[default]
    V5,
}

impl FromStr for MqttVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "5" | "5.0" => Ok(MqttVersion::V5),
            "3.1.1" | "3" | "4" | "311" => Ok(MqttVersion::V311),
            _ => Err("expected 5 or 3.1.1".to_owned()),
        }
    }
}

impl fmt::Display for MqttVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MqttVersion::V311 => "3.1.1",
            MqttVersion::V5 => "5",
        })
    }
}
