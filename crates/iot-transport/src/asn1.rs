//! A first look at DER (ITU-T X.690): where a value ends, and whether it is a PKCS#12 file.

use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{self, Decode, Encode, ErrorKind, Reader, SliceReader};

/// The first value of `der`, without what stands behind it.
pub(crate) fn first_value(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    AnyRef::decode(&mut reader).and_then(|value| value.to_der()).ok()
}

/// Recognises a PKCS#12 file.
pub(crate) fn is_pkcs12(content: &[u8]) -> bool {
    has_pkcs12_mac(content).is_ok()
}

/// Whether a PKCS#12 file has a checksum that depends on the password; an error if it is no such file (RFC 7292 §4:
/// version 3, contents, and perhaps a MAC).
pub(crate) fn has_pkcs12_mac(content: &[u8]) -> der::Result<bool> {
    const VERSION: u8 = 3;
    AnyRef::from_der(content)?.sequence(|reader| {
        if u8::decode(reader)? != VERSION {
            return Err(ErrorKind::Failed.into());
        }
        AnyRef::decode(reader)?;
        let has_mac = !reader.is_finished();
        if has_mac {
            AnyRef::decode(reader)?;
        }
        Ok(has_mac)
    })
}
