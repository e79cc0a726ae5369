use crate::error::Error;

/// Connections in a row that the broker ended because another one had the same client ID.
///
/// Two clients that share a client ID push each other out for ever, each connecting again when it has lost its
/// place. One of them has to end that.
#[derive(Debug, Default)]
pub(crate) struct Takeovers(u32);

impl Takeovers {
    /// So many takeovers are no accident: a device that restarts takes over its own old connection, once.
    const LIMIT: u32 = 3;

    /// Counts the end of a connection; the number of takeovers when that is too many. One that was stable before it
    /// ended is the first again.
    pub(crate) fn count(&mut self, error: &Error, stable: bool) -> Option<u32> {
        if stable {
            self.0 = 0;
        }
        if matches!(error, Error::Disconnected { code: Some(code), .. } if code.is_takeover()) {
            self.0 += 1;
        }
        (self.0 >= Self::LIMIT).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MqttVersion, ReasonCode};

    fn ended(code: Option<u8>) -> Error {
        let code = code.map(|code| ReasonCode::new(code, MqttVersion::V5));
        Error::Disconnected { target: "localhost:1".to_owned(), code, reason_string: None, source: None }
    }

    #[test]
    fn the_third_of_a_row_is_too_many() {
        let mut takeovers = Takeovers::default();
        assert_eq!(takeovers.count(&ended(Some(0x8e)), true), None);
        assert_eq!(takeovers.count(&ended(Some(0x8e)), false), None);
        assert_eq!(takeovers.count(&ended(None), false), None, "another end does not make it heal");
        assert_eq!(takeovers.count(&ended(Some(0x8e)), false), Some(3));
    }

    #[test]
    fn a_stable_connection_begins_a_new_row() {
        let mut takeovers = Takeovers::default();
        for _ in 0..10 {
            assert_eq!(takeovers.count(&ended(Some(0x8e)), true), None);
            assert_eq!(takeovers.count(&ended(Some(0x8e)), false), None);
        }
    }
}
