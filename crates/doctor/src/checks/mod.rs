//! The checks, one file for each layer.

pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod endpoint;
pub(crate) mod name;
pub(crate) mod proxy;
pub(crate) mod round_trip;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod trust;
