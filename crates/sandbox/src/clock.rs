//! The sandbox's clock, which may be set off the real time.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// The time as the sandbox sees it.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// A clock that is ahead by `seconds`, or behind when they are negative.
    pub(crate) fn offset_by(seconds: i64) -> Self {
        Clock { offset_seconds: AtomicI64::new(seconds) }
    }

    /// Steps to another offset from the real time.
    pub(crate) fn step(&self, seconds: i64) {
        self.offset_seconds.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let offset = SignedDuration::from_secs(self.offset_seconds.load(Ordering::Relaxed));
        // An offset out of the range of timestamps (thousands of years) is no offset.
        now.checked_add(offset).unwrap_or(now)
    }
}

/// As `X-Amz-Date` has it: `20261120T210000Z`.
pub(crate) fn amz_date(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads what [`amz_date`] writes.
pub(crate) fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let shape = text.len() == 16 && text.is_ascii();
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok().filter(|_| shape)?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// As the `Date` header has it (RFC 9110 §5.6.7).
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let time = parse_amz_date("20261120T090503Z").unwrap();
        assert_eq!(amz_date(time), "20261120T090503Z");
        assert_eq!(http_date(time), "Fri, 20 Nov 2026 09:05:03 GMT");
        for text in ["", "20261120", "2026-11-20T09:05:03Z", "20261120T090503", "20261320T090503Z"] {
            assert_eq!(parse_amz_date(text), None, "{text}");
        }
    }
}
