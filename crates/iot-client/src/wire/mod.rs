//! Packets of MQTT as bytes: what the broker sends is read here, before paho sees it.

pub(crate) mod connack;
pub(crate) mod fields;
pub(crate) mod frames;
pub(crate) mod property;
pub(crate) mod publish;
