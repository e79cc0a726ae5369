//! A cursor over the body of one packet.

use crate::mqtt::Malformed;

/// Reads the data types of MQTT 5 §1.5 from a slice, front to back.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// A Variable Byte Integer: seven bits a byte, at most four bytes.
    pub(crate) fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// Binary Data: a length of two bytes, then the bytes.
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 Encoded String; U+0000 is not allowed in one (MQTT 5 §1.5.4).
    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| Malformed)?;
        if text.contains('\0') { Err(Malformed) } else { Ok(text) }
    }
}

/// Appends a Variable Byte Integer.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        // Seven bits always fit a byte.
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Appends Binary Data or a string; what is longer than two bytes can count is cut there.
pub(crate) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for value in [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).varint(), Ok(value));
        }
        assert_eq!(Reader::new(&[0xFF; 5]).varint(), Err(Malformed));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(Malformed));
    }

    #[test]
    fn strings_hold_no_nul_and_no_broken_utf8() {
        assert_eq!(Reader::new(b"\x00\x02ab").string(), Ok("ab"));
        assert_eq!(Reader::new(b"\x00\x01\0").string(), Err(Malformed));
        assert_eq!(Reader::new(b"\x00\x01\xFF").string(), Err(Malformed));
        assert_eq!(Reader::new(b"\x00\x03ab").string(), Err(Malformed));
    }
}
