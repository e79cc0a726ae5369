//! The MQTT library, which only the files here name.

pub(crate) mod properties;
pub(crate) mod session;
