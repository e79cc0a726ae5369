//! The MQTT library, which only the files here name.

pub(crate) mod operations;
pub(crate) mod options;
pub(crate) mod properties;
pub(crate) mod session;
