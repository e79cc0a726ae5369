//! Talks to a sandbox over real sockets, with clients that share no code with it.

mod authorizer;
mod authorizer_function;
mod authorizer_time;
mod binary;
mod cognito;
mod credentials_provider;
mod delivery;
mod expiry;
mod gate;
mod gateway;
mod http;
mod lifecycle;
mod metadata;
mod proxy;
mod relay;
mod relay_faults;
mod sign_in;
mod sso;
mod sts;
mod support;
