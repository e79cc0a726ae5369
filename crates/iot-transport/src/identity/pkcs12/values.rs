//! The ASN.1 values that a PKCS#12 file consists of.

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber};

pub(super) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
pub(super) const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
pub(super) const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");

/// `[0]`, constructed.
pub(super) const EXPLICIT: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The kind of a ContentInfo, and its content.
pub(super) fn content_info(info: AnyRef<'_>) -> Option<(ObjectIdentifier, AnyRef<'_>)> {
    let [kind, content] = fields(info)?[..] else { return None };
    Some((kind.decode_as().ok()?, AnyRef::from_der(content.value()).ok()?))
}

/// A ContentInfo of kind data.
pub(super) fn data(content: &[u8]) -> Option<Vec<u8>> {
    sequence(&[DATA.to_der().ok()?, encode(EXPLICIT, &encode(Tag::OctetString, content)?)?])
}

/// The values within a constructed one.
pub(super) fn fields(value: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(value.value()).ok()?;
    let mut fields = Vec::new();
    while !reader.is_finished() {
        fields.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(fields)
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    encode(Tag::Sequence, &parts.concat())
}

pub(super) fn encode(tag: Tag, value: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(tag, value).and_then(|value| value.to_der()).ok()
}
