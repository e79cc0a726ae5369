use std::fmt;
use std::str::FromStr;

/// The name of a group of subscribers, each message of whose topic goes to one of them (MQTT 5.0 §4.8.2). AWS IoT Core
/// has shared subscriptions on MQTT 3.1.1, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedGroup(String);

impl SharedGroup {
    /// The topic filter to subscribe with: `$share/<group>/<topic>`.
    #[must_use]
    pub fn filter(&self, topic: &str) -> String {
        format!("$share/{self}/{topic}")
    }
}

impl FromStr for SharedGroup {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "" => Err("the name of a group cannot be empty".to_owned()),
            _ if name.contains(['/', '+', '#']) => Err("the name of a group holds no / + or #".to_owned()),
            _ if name.contains(char::is_control) => {
                Err("the name of a group holds no control characters".to_owned())
            }
            _ => Ok(Self(name.to_owned())),
        }
    }
}

impl fmt::Display for SharedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_level_of_a_filter() {
        let group: SharedGroup = "my-group".parse().unwrap();
        assert_eq!(group.filter("a/b"), "$share/my-group/a/b");
        for bad in ["", "a/b", "+", "#", "a\nb"] {
            assert!(bad.parse::<SharedGroup>().is_err(), "{bad:?}");
        }
    }
}
