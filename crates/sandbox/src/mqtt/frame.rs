//! Cuts a byte stream into MQTT control packets.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::mqtt::reader::{Reader, put_varint};

/// One control packet, as received.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    raw: Bytes,
    header: usize,
}

impl Frame {
    /// The packet type: the upper half of the first byte.
    pub(crate) fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// The flags: the lower half of the first byte.
    pub(crate) fn flags(&self) -> u8 {
        self.first & 0x0F
    }

    /// The packet without its fixed header.
    pub(crate) fn body(&self) -> &[u8] {
        &self.raw[self.header..]
    }

    /// The packet with its fixed header.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// Packet types (MQTT 5 §2.1.2).
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const UNSUBSCRIBE: u8 = 10;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const DISCONNECT: u8 = 14;
}

/// Builds a control packet from its first byte and its body.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(first);
    put_varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// Why no packet can be cut any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The remaining length is longer than four bytes.
    Malformed,
    /// The packet is longer than the limit.
    TooLarge,
}

/// Bytes read, waiting to be cut.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    buffer: BytesMut,
    limit: usize,
}

impl FrameBuffer {
    /// `limit`: the longest packet taken, fixed header included, in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        FrameBuffer { buffer: BytesMut::with_capacity(8 * 1024), limit }
    }

    /// Reads what is there; 0 is the end of the stream. May be cancelled without loss.
    pub(crate) async fn fill(&mut self, source: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        self.buffer.reserve(8 * 1024);
        source.read_buf(&mut self.buffer).await
    }

    /// The first byte of the next packet, however much of it has arrived.
    pub(crate) fn first_byte(&self) -> Option<u8> {
        self.buffer.first().copied()
    }

    /// The next whole packet, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((&first, rest)) = self.buffer.split_first() else { return Ok(None) };
        let mut reader = Reader::new(rest);
        let Ok(length) = reader.varint() else {
            // Four bytes are enough for any length: with fewer, more may follow.
            return if rest.len() < 4 { Ok(None) } else { Err(FrameError::Malformed) };
        };
        let header = self.buffer.len() - reader.rest().len();
        let total = header + length;
        if total > self.limit {
            return Err(FrameError::TooLarge);
        }
        if self.buffer.remaining() < total {
            self.buffer.reserve(total - self.buffer.len());
            return Ok(None);
        }
        Ok(Some(Frame { first, raw: self.buffer.split_to(total).freeze(), header }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(bytes: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut buffer = FrameBuffer::new(limit);
        let mut found = Vec::new();
        for byte in bytes {
            let read = buffer.fill(&mut std::slice::from_ref(byte)).await;
            assert_eq!(read.ok(), Some(1));
            while let Some(frame) = buffer.next()? {
                found.push(frame.body().to_vec());
            }
        }
        Ok(found)
    }

    #[tokio::test]
    async fn cuts_packets_that_arrive_byte_by_byte() {
        let long = vec![7; 200];
        let mut bytes = packet(0x30, b"abc");
        bytes.extend(packet(0xC0, b""));
        bytes.extend(packet(0x30, &long));
        assert_eq!(frames(&bytes, 1000).await, Ok(vec![b"abc".to_vec(), Vec::new(), long]));
    }

    #[tokio::test]
    async fn refuses_what_is_too_long_before_it_has_arrived() {
        assert_eq!(frames(&[0x30, 0xFF, 0x7F], 1000).await, Err(FrameError::TooLarge));
        assert_eq!(frames(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], 1000).await, Err(FrameError::Malformed));
    }
}
